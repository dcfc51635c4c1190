"""The bundle's models on lists of items: any order, any company, bounded memory."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from emojudge.bundle import sessions
from emojudge.bundle.format import Bundle
from emojudge.bundle.sessions import AcousticSession, LinguisticSession
from emojudge.errors import BundleError


class Recorder:
    """In place of a model: each item's sum and length, and what batches were asked for."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, int]] = []

    def run(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        (waveforms, lengths) = inputs["waveforms"], inputs["lengths"]
        self.shapes.append(waveforms.shape)
        assert lengths.dtype == np.int64
        assert lengths.max() == waveforms.shape[1]  # no padding beyond the longest
        for row, n in zip(waveforms, lengths, strict=True):
            assert not row[n:].any()
        return np.stack([waveforms.sum(axis=1), lengths.astype(np.float32)], axis=1)


@pytest.mark.parametrize("budget", [1, 50, 200, 10_000])
def test_every_item_gets_its_own_result_in_its_place(budget: int):
    generator = np.random.default_rng(0)
    items = [generator.normal(size=n).astype(np.float32) for n in generator.integers(1, 60, 40)]
    recorder = Recorder()
    outputs = sessions._in_batches(recorder, "waveforms", items, budget)
    np.testing.assert_allclose(outputs[:, 0], [item.sum() for item in items], atol=1e-4)
    assert outputs[:, 1].tolist() == [len(item) for item in items]
    assert all(rows * longest <= budget or rows == 1 for rows, longest in recorder.shapes)
    assert sum(rows for rows, _ in recorder.shapes) == 40


def test_little_of_the_batches_is_padding():
    generator = np.random.default_rng(0)
    items = [np.ones(n, dtype=np.float32) for n in generator.integers(1600, 96_000, 200)]
    recorder = Recorder()
    sessions._in_batches(recorder, "waveforms", items, 16 * 96_000)
    filled = sum(map(len, items))
    assert sum(rows * longest for rows, longest in recorder.shapes) < 1.2 * filled
    assert len(recorder.shapes) < 20


@pytest.fixture(scope="module")
def acoustic(tiny_bundle: Bundle) -> AcousticSession:
    return AcousticSession(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def linguistic(tiny_bundle: Bundle) -> LinguisticSession:
    return LinguisticSession(tiny_bundle, 16, threads=1)


@pytest.mark.slow
def test_embeddings_do_not_depend_on_company_and_order(
    acoustic: AcousticSession, monkeypatch: pytest.MonkeyPatch
):
    generator = np.random.default_rng(1)
    lengths = generator.integers(1600, 50_000, 12)
    clips = [generator.normal(0, 0.1, n).astype(np.float32) for n in lengths]
    together = acoustic.embed(clips)
    alone = np.concatenate([acoustic.embed([clip]) for clip in clips])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    order = generator.permutation(12)
    np.testing.assert_allclose(acoustic.embed([clips[i] for i in order]), together[order], atol=1e-4)
    monkeypatch.setattr(sessions, "SAMPLES_PER_BATCH", 60_000)
    np.testing.assert_allclose(acoustic.embed(clips), together, atol=1e-4)
    assert together.shape == (12, 64)
    assert together.std(axis=0).max() > 1e-2


@pytest.mark.slow
def test_classify(acoustic: AcousticSession, tiny_acoustic):
    import torch

    pooled = np.random.default_rng(2).normal(size=(5, 64))
    with torch.no_grad():
        expected = tiny_acoustic.head(torch.from_numpy(pooled).float()).numpy()
    np.testing.assert_allclose(acoustic.classify(pooled), expected, atol=1e-4)


@pytest.mark.slow
def test_texts_do_not_depend_on_company_and_order(linguistic: LinguisticSession):
    texts = ["I am so happy!", "", "never", "you never call " * 20, "I am so sad", "日本語 🙂"]
    together = linguistic(texts)
    alone = np.concatenate([linguistic([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    np.testing.assert_allclose(linguistic(texts[::-1]), together[::-1], atol=1e-4)
    assert together.shape == (6, 11)
    np.testing.assert_allclose(
        linguistic(["you never call " * 20])[0], linguistic(["you never call " * 5])[0]
    )


@pytest.mark.slow
def test_models_without_a_hash_are_not_opened(tiny_bundle: Bundle, tmp_path: Path):
    hashes = {k: v for k, v in tiny_bundle.manifest.hashes.items() if k != "acoustic.onnx"}
    stripped = Bundle(tiny_bundle.folder, tiny_bundle.manifest.model_copy(update={"hashes": hashes}))
    with pytest.raises(BundleError, match=r"no hash for acoustic\.onnx"):
        AcousticSession(stripped)


@pytest.mark.slow
def test_statistics_of_another_model_are_refused(tiny_bundle: Bundle):
    """Adaptation would map the features onto figures that are not theirs."""
    short = tiny_bundle.manifest.audio.model_copy(
        update={"embedding_mean": (0.0,), "embedding_deviation": (1.0,)}
    )
    other = Bundle(tiny_bundle.folder, tiny_bundle.manifest.model_copy(update={"audio": short}))
    with pytest.raises(BundleError, match=r"embedding_mean with 1 features; expected 64, as acoustic_head"):
        AcousticSession(other)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["acoustic.onnx", "acoustic_head.onnx", "linguistic.onnx", "tokenizer.json"])
def test_files_that_are_no_models_are_named(tiny_bundle: Bundle, tmp_path: Path, name: str):
    """Their hashes are right: somebody put them there."""
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle.folder, folder)
    (folder / name).write_bytes(b"Dear Sir,")
    broken = Bundle(folder, tiny_bundle.manifest)
    with pytest.raises(BundleError, match=f"{name}: found .*; expected a file that this version can load"):
        AcousticSession(broken) if name.startswith("acoustic") else LinguisticSession(broken, 16)
