"""The paper's tables at a size of no meaning: every kind of row runs, is kept, and is resumed."""

import csv
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.bundle.format import file_hash
from emojudge.challenge import reproduce as module
from emojudge.challenge.reproduce import Reproduction
from emojudge.challenge.submission import make_submission
from emojudge.challenge.systems import select
from emojudge.cli.main import app
from emojudge.errors import ChallengeError, TrainingError
from tests.corpora.msp_layout import clips, write_release

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # the fixture trains seven small models

ROWS = (  # of every kind, in the tables' order
    "emotion-base", "emotion-ecapa", "emotion-baseline-published",
    "attributes-roberta", "attributes-audeering-published",
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty clips a split, of eight speakers each."""
    made = [
        dataclasses.replace(clip, speaker=f"{clip.split}{number % 8}", gender="Female")
        for number, clip in enumerate(clips(("Train", "Development", "Test1", "Test3"), each=80))
    ]
    return write_release(tmp_path_factory.mktemp("corpus"), "1.12", made)


def arguments(corpus: Path, output: Path, *rows: str) -> list[str]:
    options = [item for row in rows for item in ("--row", row)]
    return [
        "reproduce",
        "--corpus",
        str(corpus),
        "-o",
        str(output),
        "--scale",
        "tiny",
        "--format",
        "json",
        *options,
    ]


def run(corpus: Path, output: Path, *rows: str, judge: str = "echo") -> tuple[int, Any]:
    result = CliRunner().invoke(app, [*arguments(corpus, output, *rows), "--judge", judge])
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("reproduction")
    code, printed = run(corpus, output, *ROWS)
    assert code == 0, printed
    (output / "printed.json").write_text(json.dumps(printed))
    return output


def test_figures_stand_beside_the_papers(folder: Path):
    printed = json.loads((folder / "printed.json").read_text())
    assert printed["plumbing"] is True
    assert [row["row"] for row in printed["rows"]] == list(ROWS)
    base, _, _, attributes, _ = printed["rows"]
    assert base["paper"]["dev"] == {"macro_f1": 0.3224, "accuracy": 0.415}
    assert set(base["ours"]) == set(attributes["ours"]) == {"dev", "dev2", "test1"}  # Test3 has no labels
    assert base["items"] == {"dev": 32, "dev2": 32, "test1": 64}
    for row in printed["rows"]:
        assert (set(row["ours"]), row["error"]) == ({"dev", "dev2", "test1"}, "")
        for figure in (figure for figures in row["ours"].values() for figure in figures.values()):
            assert figure["low"] <= figure["value"] + 1e-9
            assert figure["value"] <= figure["high"] + 1e-9


def test_predictions_can_be_submitted(folder: Path):
    path = folder / "predictions" / "emotion-base" / "test1.csv"
    names = [row["id"] for row in csv.DictReader(path.open(encoding="utf-8"))]
    assert len(make_submission(path, 1, names).rows) == 80
    path = folder / "predictions" / "attributes-roberta" / "test1.csv"
    assert len(make_submission(path, 2, names).rows) == 80


def test_what_is_done_is_not_done_again(corpus: Path, folder: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("trained or fitted again")

    for name in ("train", "fuse", "load_published"):
        monkeypatch.setattr(module, name, refuse)
    code, printed = run(corpus, folder, *ROWS)
    assert (code, printed) == (0, json.loads((folder / "printed.json").read_text()))


def test_a_refined_row_is_judged(corpus: Path, folder: Path):
    """By a language model that answers one emotion whatever it is asked: that is what is scored."""
    code, printed = run(corpus, folder, "emotion-roberta-refined", judge="echo:S")
    (row,) = printed["rows"]
    assert (code, row["error"]) == (0, "")
    assert set(row["ours"]) == {"dev", "dev2", "test1"}
    assert row["judged"]["changed"] > 0
    assert row["note"].startswith("judged by echo:S: ")
    assert row["ours"]["test1"]["accuracy"]["value"] == pytest.approx(
        1 / 8
    )  # of eight emotions, as many of each
    gained = row["gains"]["test1"]
    assert gained["low"] <= gained["value"] <= gained["high"]
    plain = folder / "predictions" / "emotion-roberta" / "dev2.csv"
    with plain.open(encoding="utf-8") as file:
        shown = len(list(csv.DictReader(file))) - row["items"]["dev2"]
    assert 0 < shown <= 8  # examples are not judged


def test_without_a_language_model_a_refined_row_says_so(corpus: Path, folder: Path):
    (result,) = Reproduction(corpus, folder, "tiny").run(select(["emotion-roberta-refined"]))
    assert not result.figures
    assert result.note.startswith("not judged")


def test_killed_it_goes_on_and_does_nothing_twice(corpus: Path, folder: Path, tmp_path: Path):
    """A real process, killed by force in its second training; what was done stays as it was to the byte."""
    output = tmp_path / "reproduction"
    program = "from emojudge.cli.main import main; main()"
    command = [sys.executable, "-c", program, *arguments(corpus, output, "emotion-base")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with (tmp_path / "stderr").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=environment)
        second = output / "runs" / "emotion-roberta-base" / "recipe.json"
        while not second.exists():
            assert process.poll() is None, (tmp_path / "stderr").read_text()
            time.sleep(0.02)
        process.kill()
        process.wait()
    done = [
        *output.glob("splits/*"),
        *output.glob("outputs/*"),
        *output.glob("runs/emotion-wavlm-base/*.safetensors"),
    ]
    assert len(done) == 4
    before = {path: path.stat().st_mtime_ns for path in done}
    finished = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert {path: path.stat().st_mtime_ns for path in done} == before
    assert not list(output.rglob("*.tmp"))
    (row,) = json.loads(finished.stdout)["rows"]
    uninterrupted = json.loads((folder / "printed.json").read_text())["rows"][0]
    assert row == uninterrupted


def test_a_fused_development_is_fused_by_strangers(corpus: Path, folder: Path):
    """No utterance of Development is fused by a fit that saw its speaker."""
    reproduction = Reproduction(corpus, folder, "tiny")
    (system,) = select(["attributes-roberta"])
    fused = reproduction.values(system)["dev"]
    about = json.loads(next((folder / "fused").glob("attributes-*.json")).read_text())
    parts = [4 + 3 * reproduction.outputs(name)["dev"] for name in system.models]
    whole = np.concatenate(parts, axis=1) @ np.array(about["coefficients"]).T + about["intercept"]
    assert not np.allclose(fused, np.clip(whole, 1, 7), atol=1e-3)
    parts = [4 + 3 * reproduction.outputs(name)["dev2"] for name in system.models]
    whole = np.concatenate(parts, axis=1) @ np.array(about["coefficients"]).T + about["intercept"]
    np.testing.assert_allclose(reproduction.values(system)["dev2"], np.clip(whole, 1, 7), atol=1e-3)


def test_the_best_system_of_two_stages_and_four_models(corpus: Path, tmp_path: Path):
    code, printed = run(corpus, tmp_path, "emotion-best", "attributes-best")
    assert code == 0, printed
    for row in printed["rows"]:
        assert (row["error"], set(row["ours"])) == ("", {"dev", "dev2", "test1"})
    runs = {path.name for path in (tmp_path / "runs").iterdir()}
    assert {"best-first", "best", "best-text", "emotion-whisper-small", "attributes-deberta-large"} < runs
    environment = json.loads((tmp_path / "runs" / "best" / "environment.json").read_text())
    assert environment["start_from"] == file_hash(tmp_path / "runs" / "best-first" / "best.safetensors")
    (about,) = (json.loads(path.read_text()) for path in (tmp_path / "fused").glob("emotion-best-*.json"))
    assert np.array(about["coefficients"]).shape == (8, 4 * 8)
    (about,) = (json.loads(path.read_text()) for path in (tmp_path / "fused").glob("attributes-best-*.json"))
    assert np.array(about["coefficients"]).shape == (3, 4 * 3)
    assert len(list((tmp_path / "cache").glob("*.i16"))) == 2  # heard by two stages, decoded once


def test_a_folder_belongs_to_one_corpus_and_scale(corpus: Path, folder: Path):
    with pytest.raises(ChallengeError, match="Choose another --output"):
        Reproduction(corpus, folder, "full")


def test_the_table_is_marked_where_it_is_plumbing(corpus: Path, folder: Path):
    table = [*arguments(corpus, folder, "emotion-base", "emotion-ecapa"), "--format", "table"]
    lines = CliRunner().invoke(app, table).stdout.splitlines()
    assert lines[0].startswith("PLUMBING ONLY")
    assert lines[-1] == lines[0]
    (dev,) = [line for line in lines if line.startswith("  dev ") and "0.3224" in line]
    ours = json.loads((folder / "printed.json").read_text())["rows"][0]["ours"]["dev"]["macro_f1"]["value"]
    assert dev.split()[:3] == ["dev", "32", f"{ours:.4f}"]
    assert any(line.split() == ["test3", "–", "–", "0.2631", "–", "0.2984"] for line in lines)


def test_a_row_that_fails_leaves_the_others(corpus: Path, folder: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object) -> None:
        raise TrainingError("training", found="a loss of nan", expected="a finite number")

    monkeypatch.setattr(module, "train", fails)
    code, printed = run(corpus, folder, "emotion-hubert", "emotion-base")
    assert code == 1
    base, hubert = printed["rows"]
    assert "a loss of nan" in hubert["error"]
    assert base["ours"]
    assert not base["error"]
