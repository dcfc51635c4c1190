"""`emojudge bundle show` and `verify`."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from emojudge.bundle.format import Bundle, write_manifest
from emojudge.judge.bins import bins_of

Run = Callable[..., Any]


@pytest.fixture
def folder(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle.folder, tmp_path / "mine"))


def test_show_says_what_the_manifest_holds(run: Run, folder: Path) -> None:
    manifest = Bundle.open(folder).manifest
    write_manifest(
        folder, manifest.model_copy(update={"provenance": {"corpora": {"RAVDESS": "CC BY-NC-SA"}}})
    )
    result = run("bundle", "show", folder)
    assert result.exit_code == 0
    for words in (
        "tiny",
        "Apache-2.0",
        "64 pooled features",
        "at most 3 s",
        "random, for tests",
        "valence 50%",
    ):
        assert words in result.stdout
    assert "    RAVDESS: CC BY-NC-SA" in result.stdout
    assert manifest.hashes["acoustic.onnx"][:12] in result.stdout


def test_show_says_what_is_not_there(run: Run, folder: Path) -> None:
    manifest = Bundle.open(folder).manifest.model_copy(update={"text": None, "fusion": None})
    write_manifest(folder, manifest)
    assert "without     text, fusion" in run("bundle", "show", folder).stdout


def test_verify_tries_the_models(run: Run, folder: Path) -> None:
    result = run("bundle", "verify", folder)
    assert result.exit_code == 0
    assert "acoustic.onnx: as in the manifest" in result.stdout
    assert "by voice + words, in " in result.stdout


def test_verify_tries_a_bundle_of_words_alone(run: Run, folder: Path) -> None:
    manifest = Bundle.open(folder).manifest.model_copy(update={"audio": None, "fusion": None})
    write_manifest(folder, manifest)
    assert "by words, in " in run("bundle", "verify", folder).stdout


def test_verify_refuses_a_changed_file(run: Run, folder: Path) -> None:
    with (folder / "acoustic.onnx").open("ab") as file:
        file.write(b"!")
    result = run("bundle", "verify", folder)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "acoustic.onnx: found SHA-256" in result.stderr


def test_verify_refuses_a_model_that_does_not_load(run: Run, folder: Path) -> None:
    manifest = Bundle.open(folder).manifest
    (folder / "acoustic.onnx").write_bytes(b"no model")
    write_manifest(folder, manifest)
    result = run("bundle", "verify", folder)
    assert result.exit_code == 1
    assert "acoustic.onnx: found" in result.stderr
    assert "expected a file that this version can load" in result.stderr


def test_show_refuses_what_is_no_bundle(run: Run, tmp_path: Path) -> None:
    result = run("bundle", "show", tmp_path)
    assert result.exit_code == 2
    assert "Is it a bundle?" in result.stderr


def test_fit_bins_keeps_what_is_low_and_high_in_a_recipes_recordings(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("swift_f0", reason="needs the extra 'judge'")
    corpus = tmp_path / "data" / "mine"
    corpus.mkdir(parents=True)
    time = np.arange(16_000) / 16_000
    rows = ["file,emotion,split,transcript"]
    for pitch in range(100, 300, 20):
        soundfile.write(corpus / f"{pitch}.wav", 0.2 * np.sin(2 * np.pi * pitch * time), 16_000)
        rows.append(f"{pitch}.wav,happy,{'dev' if pitch == 280 else 'train'},la la")
    (corpus / "broken.wav").write_bytes(b"nothing")
    (corpus / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "name: mine\nmodality: text\ndata: [{corpus: table, folder: mine}]\n"
        "linguistic: {backbone: {kind: bert, weights: none}}\n",
        encoding="utf-8",
    )
    command = ("bundle", "fit-bins", folder, "--recipe", recipe, "--data", tmp_path / "data")
    result = run(*command)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("9 clips, by swift-f0 ")
    bins = bins_of(Bundle.open(folder))
    assert bins is not None
    assert bins.overall.cuts["pitch"] == pytest.approx((100, 140, 220, 260), rel=0.02)
    rows.append("broken.wav,happy,train,la")
    (corpus / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    result = run(*command)
    assert result.exit_code == 1
    assert "broken.wav" in result.stderr
    assert result.stdout.startswith("9 clips")
