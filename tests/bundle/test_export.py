"""Exported models against torch: over lengths from 0.1 to 30 s, alone and in padded batches."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")
pytestmark = pytest.mark.slow  # the first of these exports a bundle

from emojudge.bundle.export import export_acoustic, export_linguistic  # noqa: E402
from emojudge.bundle.format import Bundle  # noqa: E402

LENGTHS = [1600, 1601, 1759, 2400, 7777, 16_000, 40_321, 100_000]  # samples
LONGEST = 480_000  # 30 s


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def clips(lengths: list[int], garbage: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(sum(lengths))
    batch = np.full((len(lengths), max(lengths)), garbage, dtype=np.float32)
    for row, n in enumerate(lengths):
        batch[row, :n] = generator.normal(0, 0.1, n) * (1 + np.sin(np.arange(n) / 700))
    return batch, np.array(lengths)


def embed(model, waveforms: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model.embed(torch.from_numpy(waveforms), torch.from_numpy(lengths)).numpy()


BATCHES = [
    *([n] for n in LENGTHS),
    [LONGEST],
    [16_000] * 5,
    LENGTHS,
    LENGTHS[::-1],
    [LONGEST, 1600],
    [1600] * 70,
]


@pytest.fixture(scope="module")
def exported(tiny_acoustic, tmp_path_factory: pytest.TempPathFactory) -> Path:  # type: ignore[no-untyped-def]
    """The acoustic model as a bundle with windows of 29 s would have it."""
    folder = tmp_path_factory.mktemp("exported")
    export_acoustic(tiny_acoustic, folder)
    return folder


def test_a_bundle_hears_its_longest_window(tiny_bundle: Bundle, tiny_acoustic):
    assert tiny_bundle.manifest.audio is not None
    longest = int(16_000 * (tiny_bundle.manifest.audio.window_seconds + 1)) - 1
    waveforms, counts = clips([longest, 16_000])
    (embeddings,) = session(tiny_bundle.file("acoustic.onnx")).run(
        None, {"waveforms": waveforms, "lengths": counts}
    )
    np.testing.assert_allclose(embeddings, embed(tiny_acoustic, waveforms, counts), atol=1e-3)


@pytest.mark.parametrize("lengths", BATCHES, ids=lambda b: f"{len(b)}x{max(b)}")
def test_acoustic_model_is_torchs(exported: Path, tiny_acoustic, lengths: list[int]):
    waveforms, counts = clips(lengths)
    (embeddings,) = session(exported / "acoustic.onnx").run(None, {"waveforms": waveforms, "lengths": counts})
    expected = embed(tiny_acoustic, waveforms, counts)
    np.testing.assert_allclose(embeddings, expected, atol=1e-3)
    (logits,) = session(exported / "acoustic_head.onnx").run(None, {"embeddings": embeddings})
    with torch.no_grad():
        direct = tiny_acoustic(torch.from_numpy(waveforms), torch.from_numpy(counts)).numpy()
    np.testing.assert_allclose(logits, direct, atol=1e-3)


def test_padding_changes_no_embedding_in_the_exported_model(exported: Path):
    run = session(exported / "acoustic.onnx").run
    waveforms, counts = clips(LENGTHS, garbage=0.9)
    (together,) = run(None, {"waveforms": waveforms, "lengths": counts})
    for row, n in enumerate(LENGTHS):
        (alone,) = run(None, {"waveforms": waveforms[row : row + 1, :n], "lengths": counts[row : row + 1]})
        np.testing.assert_allclose(together[row], alone[0], atol=1e-4)


@pytest.mark.parametrize("lengths", [[2], [3], [16], [2, 16, 7], [5] * 40, [512, 2], [128, 128]])
def test_linguistic_model_is_torchs(tiny_bundle: Bundle, tiny_linguistic, lengths: list[int]):
    generator = np.random.default_rng(0)
    tokens = np.zeros((len(lengths), max(lengths)), dtype=np.int64)
    for row, n in enumerate(lengths):
        tokens[row, :n] = generator.integers(1, 13, n)
    counts = np.array(lengths)
    (outputs,) = session(tiny_bundle.file("linguistic.onnx")).run(None, {"tokens": tokens, "lengths": counts})
    with torch.no_grad():
        expected = tiny_linguistic(torch.from_numpy(tokens), torch.from_numpy(counts)).numpy()
    np.testing.assert_allclose(outputs, expected, atol=1e-3)


def test_files_say_nothing_of_the_machine(tiny_bundle: Bundle):
    """Exporters leave stack traces with the paths of the sources in the graph."""
    for name in ("acoustic.onnx", "acoustic_head.onnx", "linguistic.onnx"):
        content = tiny_bundle.file(name).read_bytes()
        for trace in (b"site-packages", b".py", b"Traceback", str(Path.home()).encode()):
            assert trace not in content, (name, trace)


def test_float16_weights_are_close_and_smaller(exported: Path, tiny_acoustic, tmp_path: Path):
    """Within 0.1 % of the features' spread, by half the bytes."""
    export_acoustic(tiny_acoustic, tmp_path, half=True)
    waveforms, counts = clips(LENGTHS)
    (half,) = session(tmp_path / "acoustic.onnx").run(None, {"waveforms": waveforms, "lengths": counts})
    exact = embed(tiny_acoustic, waveforms, counts)
    assert half.dtype == np.float32
    assert np.abs(half - exact).max() < 1e-3 * exact.std()
    assert np.abs(half - exact).max() > 0
    full_size = (exported / "acoustic.onnx").stat().st_size
    assert (tmp_path / "acoustic.onnx").stat().st_size < 0.6 * full_size
    (logits,) = session(tmp_path / "acoustic_head.onnx").run(None, {"embeddings": half})
    with torch.no_grad():
        expected = tiny_acoustic.head(torch.from_numpy(exact)).numpy()
    np.testing.assert_allclose(logits, expected, atol=5e-3)


def test_8_bit_weights_are_close_and_smaller(tiny_bundle: Bundle, tiny_linguistic, tmp_path: Path):
    """Within a twentieth of the outputs' spread, and the winner among the emotions mostly stays."""
    export_linguistic(tiny_linguistic, tmp_path, quantise=True)
    generator = np.random.default_rng(1)
    tokens, counts = generator.integers(4, 13, (60, 12)), np.full(60, 12)
    (rough,) = session(tmp_path / "linguistic.onnx").run(None, {"tokens": tokens, "lengths": counts})
    with torch.no_grad():
        exact = tiny_linguistic(torch.from_numpy(tokens), torch.from_numpy(counts)).numpy()
    assert np.sqrt(np.mean((rough - exact) ** 2)) < 0.05 * exact.std()
    assert np.mean(rough[:, :8].argmax(axis=1) == exact[:, :8].argmax(axis=1)) > 0.9
    full_size = tiny_bundle.file("linguistic.onnx").stat().st_size
    assert (tmp_path / "linguistic.onnx").stat().st_size < 0.8 * full_size
