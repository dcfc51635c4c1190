"""Making a bundle: whole or not at all."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.bundle import make
from emojudge.bundle.format import AcousticPart, Bundle
from emojudge.bundle.make import embedding_statistics, equal_shares, make_bundle

PART = AcousticPart(temperature=1, window_seconds=3, embedding_mean=(0.0,), embedding_deviation=(1.0,))


def export(content: bytes):
    """In place of the slow export: two files."""

    def write(_model: object, folder: Path, **_: object) -> None:
        (folder / "acoustic.onnx").write_bytes(content)
        (folder / "acoustic_head.onnx").write_bytes(content)

    return write


def test_a_bundle_is_written_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for content in (b"first", b"second"):
        monkeypatch.setattr(make, "export_acoustic", export(content))
        bundle = make_bundle(tmp_path / "b", content.decode(), acoustic=(None, PART), card="# Card")
        assert bundle.file("acoustic.onnx").read_bytes() == content
        assert Bundle.open(tmp_path / "b").manifest.name == content.decode()
    assert (tmp_path / "b" / "README.md").read_text() == "# Card"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_an_export_that_fails_leaves_the_bundle_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(make, "export_acoustic", export(b"first"))
    make_bundle(tmp_path / "b", "first", acoustic=(None, PART))

    def fail(_model: object, folder: Path, **_: object) -> None:
        (folder / "acoustic.onnx").write_bytes(b"half")
        raise RuntimeError("no")

    monkeypatch.setattr(make, "export_acoustic", fail)
    with pytest.raises(RuntimeError):
        make_bundle(tmp_path / "b", "second", acoustic=(None, PART))
    assert Bundle.open(tmp_path / "b").manifest.name == "first"
    monkeypatch.setattr(make, "export_acoustic", export(b"third"))  # what the failure left is in nobody's way
    assert make_bundle(tmp_path / "b", "third", acoustic=(None, PART)).manifest.name == "third"


def test_embedding_statistics_are_weighted():
    embeddings = np.random.default_rng(0).normal(3, 2, (50, 4)).astype(np.float32)
    twice = np.concatenate([embeddings, embeddings[:20]])
    mean, deviation = embedding_statistics(embeddings, np.repeat([2.0, 1.0], [20, 30]))
    np.testing.assert_allclose(mean, twice.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(deviation, twice.std(axis=0), atol=1e-5)


def test_equal_shares():
    assert equal_shares(0.25) == {"valence": 0.25, "arousal": 0.25, "dominance": 0.25}


@pytest.mark.slow
def test_the_manifest_lists_every_file(tiny_bundle: Bundle):
    files = {path.name for path in tiny_bundle.folder.iterdir()}
    assert files == {*tiny_bundle.manifest.hashes, "bundle.json", "README.md"}
    assert set(tiny_bundle.manifest.hashes) == {
        "acoustic.onnx",
        "acoustic_head.onnx",
        "linguistic.onnx",
        "tokenizer.json",
    }
