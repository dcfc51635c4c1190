"""The bundle folder: what is checked before any of its files is opened."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emojudge.bundle.format import (
    FORMAT,
    MANIFEST,
    AcousticPart,
    Bundle,
    Fusion,
    LinguisticPart,
    Manifest,
    file_hash,
    write_manifest,
)
from emojudge.emotions import EMOTIONS
from emojudge.errors import BundleError

FILES = {
    "acoustic.onnx": b"voice",
    "acoustic_head.onnx": b"head",
    "linguistic.onnx": b"words",
    "tokenizer.json": b"{}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle whose models are a few bytes: opening it reads their hashes only."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    (folder / "README.md").write_text("# A card, which may be edited\n")
    manifest = Manifest(
        format=FORMAT,
        name="small",
        emotions=EMOTIONS,
        audio=AcousticPart(
            temperature=1.5, window_seconds=6, embedding_mean=(0.25, 1 / 3), embedding_deviation=(1.0, 2.0)
        ),
        text=LinguisticPart(temperature=1.0, max_tokens=16, attributes=True, languages=("en",)),
        fusion=Fusion(
            coefficients=((0.0,) * 16,) * 8,
            intercept=(0.0,) * 8,
            temperature=1.0,
            text_share={"valence": 0.5, "arousal": 0.5, "dominance": 0.5},
            method="none",
        ),
        licence="CC0-1.0",
        provenance={"recipe": {"name": "x"}},
        hashes={},
    )
    write_manifest(folder, manifest)
    return folder


def change(folder: Path, **values: object) -> dict:
    """Edit the manifest; `part__key` reaches into a part."""
    content = json.loads((folder / MANIFEST).read_text())
    for key, value in values.items():
        *parts, last = key.split("__")
        place = content
        for part in parts:
            place = place[part]
        place[last] = value
    (folder / MANIFEST).write_text(json.dumps(content))
    return content


def test_what_was_written_is_read(folder: Path):
    bundle = Bundle.open(folder)
    assert Bundle.open(str(folder)).manifest == bundle.manifest
    assert bundle.manifest.audio.embedding_mean == (0.25, 1 / 3)
    assert bundle.manifest.hashes == {name: file_hash(folder / name) for name in FILES}
    assert bundle.file("acoustic.onnx").read_bytes() == b"voice"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, MANIFEST, "README.md"])


def test_a_hash_is_sha_256(folder: Path):
    (folder / "empty").write_bytes(b"")
    assert file_hash(folder / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused(folder: Path, name: str):
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1  # one bit
    (folder / name).write_bytes(content)
    with pytest.raises(
        BundleError, match=rf"{name}: found SHA-256 .*as in the manifest.*copy the bundle again"
    ):
        Bundle.open(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: found no such file"):
        Bundle.open(folder)


def test_the_card_may_change(folder: Path):
    (folder / "README.md").write_text("# Ours now\n")
    Bundle.open(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None, 1.5, [1]])
def test_another_format_version_is_refused(folder: Path, version: object):
    change(folder, format=version)
    with pytest.raises(
        BundleError, match=r"found format version .*; expected version 1\. Install the emojudge version"
    ):
        Bundle.open(folder)


@pytest.mark.parametrize(
    "emotions",
    [
        *[EMOTIONS[:7], EMOTIONS[::-1], [], ["happy"], list("ASHUFDCN"), "angry", {"angry": 1}],
        *[None, 8, dict.fromkeys(EMOTIONS), [[]]],
    ],
)
def test_other_labels_are_refused(folder: Path, emotions: object):
    change(folder, emotions=emotions)
    with pytest.raises(BundleError, match="found another label set; expected angry, sad"):
        Bundle.open(folder)


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "sub/file", "sub/../acoustic.onnx", "..", ".", ""]
)
def test_a_file_name_with_a_path_in_it_is_refused(folder: Path, name: str):
    """Even one that exists and has this hash: a bundle names its own files only."""
    (folder.parent / "secret").write_bytes(b"x")
    (folder / "sub").mkdir()
    (folder / "sub" / "file").write_bytes(b"x")
    target = (folder / name).resolve()
    content = change(folder)
    change(folder, hashes={**content["hashes"], name: file_hash(target) if target.is_file() else "0" * 64})
    with pytest.raises(BundleError, match="found no such file; expected the file that the manifest lists"):
        Bundle.open(folder)


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"extra": 1}, "extra"),
        ({"audio__extra": 1}, "audio.extra"),
        ({"audio__temperature": 0}, "audio.temperature"),
        ({"audio__temperature": float("nan")}, "audio.temperature"),
        ({"text__temperature": float("inf")}, "text.temperature"),
        ({"fusion__temperature": -1}, "fusion.temperature"),
        ({"audio__trim_db": float("inf")}, "audio.trim_db"),
        ({"audio__window_seconds": -3}, "audio.window_seconds"),
        ({"audio__window_seconds": 0.5}, "audio.window_seconds"),
        ({"audio__window_seconds": 3600}, "audio.window_seconds"),
        ({"audio__embedding_mean": []}, "audio: .*embedding_mean has 0 features, embedding_deviation 2"),
        ({"audio__embedding_mean": [0.5, float("nan")]}, "audio.embedding_mean.1"),
        ({"audio__embedding_mean": [0.5]}, "audio: .*embedding_mean has 1 features, embedding_deviation 2"),
        ({"audio__embedding_deviation": [1.0, -1.0]}, "audio.embedding_deviation.1"),
        ({"text__max_tokens": 10**9}, "text.max_tokens"),
        ({"text__max_tokens": "many"}, "text.max_tokens"),
        ({"fusion__text_share": {"calmness": 0.5}}, "fusion.text_share"),
        ({"fusion__text_share": {"valence": 0.5}}, "fusion.text_share"),
        ({"fusion__text_share": {"valence": 2, "arousal": 0, "dominance": 0}}, "fusion.text_share.valence"),
        ({"fusion__coefficients": [["x", *range(15)], *[[0] * 16] * 7]}, "fusion.coefficients.0.0"),
        ({"fusion__coefficients": [[0] * 16] * 7}, "fusion.coefficients"),
        ({"fusion__coefficients": [*[[0] * 16] * 7, [0] * 8]}, "fusion.coefficients.7"),
        ({"fusion__intercept": [0] * 9}, "fusion.intercept"),
        ({"fusion__intercept": [0] * 7 + [10**400]}, "fusion.intercept"),
        ({"hashes": ["acoustic.onnx"]}, "hashes"),
        ({"licence": None}, "licence"),
    ],
)
def test_a_manifest_that_is_none_is_refused_by_its_key(folder: Path, values: dict, place: str):
    change(folder, **values)
    with pytest.raises(BundleError, match=rf"bundle\.json: found {place}.*; expected a manifest"):
        Bundle.open(folder)


@pytest.mark.parametrize(
    "content",
    [
        *["", "{", "[]", "null", "3", '"bundle"', "{}", "\x00"],
        "[" * 100_000,
        '{"format": ' + "9" * 5000 + "}",
    ],
)
def test_what_is_no_manifest_is_refused(folder: Path, content: str):
    (folder / MANIFEST).write_text(content)
    with pytest.raises(BundleError):
        Bundle.open(folder)


def test_bytes_that_are_no_text_are_refused(folder: Path):
    (folder / MANIFEST).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError):
        Bundle.open(folder)


@pytest.mark.parametrize("where", ["nowhere", "empty", "file"])
def test_a_folder_that_is_no_bundle(tmp_path: Path, where: str):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match=r"expected a folder with bundle\.json"):
        Bundle.open(tmp_path / where)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(sorted({*Manifest.model_fields, "extra"} - {"emotions"})), value=json_values)
def test_nothing_but_a_bundle_error_comes_out(folder: Path, key: str, value: object):
    kept = (folder / MANIFEST).read_text()
    try:
        change(folder, **{key: value})
        Bundle.open(folder)
    except BundleError as error:
        assert str(folder) in str(error)  # noqa: PT017  either is right, and nothing else
    finally:
        (folder / MANIFEST).write_text(kept)


def test_only_files_of_the_manifest_are_given_out(folder: Path):
    (folder / "other.onnx").write_bytes(b"x")
    bundle = Bundle.open(folder)
    for name in ("other.onnx", "../secret", MANIFEST):
        with pytest.raises(BundleError, match="found no hash"):
            bundle.file(name)


def test_a_bundle_may_be_moved_and_copied(folder: Path, tmp_path: Path):
    shutil.copytree(folder, tmp_path / "copy")
    os.replace(folder, tmp_path / "moved")
    assert Bundle.open(tmp_path / "copy").manifest == Bundle.open(tmp_path / "moved").manifest
