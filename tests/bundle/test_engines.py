"""What runs a bundle's models: every engine gives what ONNX Runtime gives, in any company, offline."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

import emojudge
from emojudge.bundle.engines import load_model
from emojudge.bundle.format import AcousticPart, Bundle
from emojudge.cli.main import app
from emojudge.errors import BundleError, EmojudgeError, MissingExtraError

EXAMPLE = Path(__file__).parents[2] / "examples" / "two_voices.flac"
LENGTHS = [1600, 1601, 2400, 7777, 16_000, 40_321, 100_000]  # samples
BATCHES = [*([n] for n in LENGTHS), LENGTHS, [16_000] * 5, [1600] * 40, [100_000, 1600]]


def clips(lengths: list[int]) -> dict[str, NDArray]:
    """Padded noise, louder and softer by turns."""
    generator = np.random.default_rng(sum(lengths))
    batch = np.zeros((len(lengths), max(lengths)), dtype=np.float32)
    for row, n in enumerate(lengths):
        batch[row, :n] = generator.normal(0, 0.1, n) * (1 + np.sin(np.arange(n) / 700))
    return {"waveforms": batch, "lengths": np.array(lengths)}


def assert_alike(bundle: Bundle, part: str, batches: list[dict[str, NDArray]]) -> None:
    one, other = (load_model(bundle, part, engine, 1) for engine in ("onnxruntime", "openvino"))
    assert one.width == other.width
    for batch in batches:
        np.testing.assert_allclose(other.run(batch), one.run(batch), atol=1e-3)


@pytest.fixture
def openvino():  # type: ignore[no-untyped-def]
    return pytest.importorskip("openvino", reason="needs the extra 'openvino'")


def test_openvino_hears_the_embedded_model(openvino):
    """Whose weights are stored as float16."""
    assert_alike(
        Bundle.open(), "acoustic", [clips(batch) for batch in ([1600], LENGTHS[:5], [100_000, 1600])]
    )
    pooled = np.random.default_rng(0).normal(size=(5, 2048)).astype(np.float32)
    assert_alike(Bundle.open(), "acoustic_head", [{"embeddings": pooled[:n]} for n in (1, 5)])


def test_openvino_reads_8_bit_weights(openvino):
    """Each engine rounds a batch's activations by itself: nearly the same, mostly the same label."""
    one, other = (load_model(Bundle.open(), "linguistic", e, 1).run for e in ("onnxruntime", "openvino"))
    generator = np.random.default_rng(0)
    outputs = []
    for n in (2, 7, 60):
        words = {
            "tokens": generator.integers(4, 20_000, (20, n)),
            "lengths": generator.integers(2, n + 1, 20),
        }
        outputs.append((one(words), other(words)))
    exact, rough = (np.concatenate(side) for side in zip(*outputs, strict=True))
    assert np.sqrt(np.mean((rough - exact) ** 2)) < 0.05 * exact.std()
    assert np.mean(rough[:, :8].argmax(axis=1) == exact[:, :8].argmax(axis=1)) > 0.9


@pytest.mark.slow
def test_openvino_hears_from_a_tenth_of_a_second_to_thirty(openvino, tiny_acoustic, tmp_path: Path):
    from emojudge.bundle.make import make_bundle

    part = AcousticPart(temperature=1.0, window_seconds=29)
    bundle = make_bundle(tmp_path / "bundle", "long", acoustic=(tiny_acoustic, part))
    assert_alike(bundle, "acoustic", [clips(batch) for batch in [*BATCHES, [479_999], [479_999, 1600, 9999]]])


@pytest.mark.slow
def test_openvino_reads_words(openvino, tiny_bundle: Bundle):
    generator = np.random.default_rng(0)
    batches = []
    for lengths in ([2], [3], [16], [2, 16, 7], [5] * 40, [512, 2]):
        tokens = generator.integers(1, 13, (len(lengths), max(lengths)))
        batches.append({"tokens": tokens, "lengths": np.array(lengths)})
    assert_alike(tiny_bundle, "linguistic", batches)


def test_threads_may_run_a_model_at_once(openvino):
    run = load_model(Bundle.open(), "acoustic", "openvino", 1).run
    batches = [clips([n]) for n in LENGTHS[:5]] * 4
    with ThreadPoolExecutor(4) as pool:
        for at_once, batch in zip(pool.map(run, batches), batches, strict=True):
            np.testing.assert_allclose(at_once, run(batch), atol=1e-5)


@pytest.mark.parametrize(("engine", "hint"), [("openvino", "f32"), ("openvino:float32", "f32")])
def test_the_precision_is_always_said(openvino, monkeypatch: pytest.MonkeyPatch, engine: str, hint: str):
    """Left alone, OpenVINO takes bfloat16 where it can: other scores on another machine."""
    said = []

    class Core(openvino.Core):  # type: ignore[misc]
        def compile_model(self, model: object, device: str, settings: dict[str, object]) -> object:
            said.append((device, settings["INFERENCE_PRECISION_HINT"], settings["INFERENCE_NUM_THREADS"]))
            return super().compile_model(model, device, {**settings, "NUM_STREAMS": 1})

    monkeypatch.setattr(openvino, "Core", Core)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    load_model(Bundle.open(), "acoustic_head", engine, 2)
    assert said == [("CPU", hint, 2)]


def test_bfloat16_is_refused_or_nearly_the_same(openvino):
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(EmojudgeError, match="'bfloat16'; expected one of float32 on this processor"):
            load_model(Bundle.open(), "acoustic", "openvino:bfloat16")
        return
    exact, rough = (
        load_model(Bundle.open(), "acoustic", engine).run(clips(LENGTHS))
        for engine in ("openvino", "openvino:bfloat16")
    )
    assert 1e-4 < np.sqrt(np.mean((rough - exact) ** 2)) / exact.std() < 0.05


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_engine_asks_no_network_and_leaves_nothing(engine: str, tmp_path: Path):
    """Both come with means to tell their makers how they are used."""
    pytest.importorskip(engine, reason=f"needs the extra {engine!r}")
    script = (
        "import socket\n"
        "def refuse(*_, **__): raise SystemExit('a connection')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import emojudge\n"
        f"print(emojudge.load(asr='none', engine={engine!r}, threads=1)({str(EXAMPLE)!r}).engine)\n"
    )
    environment = {"HOME": str(tmp_path), "PYTHONPATH": ":".join(filter(None, sys.path))}
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.stdout == f"{engine}\n", result.stderr
    assert list(tmp_path.rglob("*")) == []


def test_predictions_say_what_ran(openvino):
    one, other = (emojudge.load(asr="none", engine=e)(EXAMPLE) for e in (None, "openvino"))
    assert (one.engine, other.engine) == ("onnxruntime", "openvino")
    assert list(other.scores.values()) == pytest.approx(list(one.scores.values()), abs=1e-3)


@pytest.mark.parametrize(
    ("layout", "said"), [("jsonl", '"engine":"openvino"'), ("table", "run by openvino;")]
)
def test_the_command_line_says_it_too(openvino, layout: str, said: str):
    arguments = ["predict", str(EXAMPLE), "--asr", "none", "--engine", "openvino", "--format", layout]
    assert said in " ".join(CliRunner().invoke(app, arguments).stdout.split())


def test_an_unknown_engine_is_refused():
    with pytest.raises(EmojudgeError, match=r"engine: found 'openvin'; .*onnxruntime, openvino.*'openvino'"):
        emojudge.load(asr="none", engine="openvin")
    with pytest.raises(EmojudgeError, match="found precision 'int4'; expected one of float32"):
        emojudge.load(asr="none", engine="onnxruntime:int4")


def test_an_engine_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"emojudge\[openvino\]"):
        emojudge.load(asr="none", engine="openvino")


def test_a_file_that_openvino_cannot_read_is_named(openvino, tmp_path: Path):
    embedded = Bundle.open()
    (tmp_path / "acoustic.onnx").write_bytes(b"Dear Sir,")
    with pytest.raises(BundleError, match=r"acoustic\.onnx: found .*; expected a file that this version"):
        load_model(Bundle(tmp_path, embedded.manifest), "acoustic", "openvino")


SIGNALLED = """
import gc, os, signal
from emojudge.bundle.engines import load_model
from emojudge.bundle.format import Bundle

models = [load_model(Bundle.open(), "acoustic_head", "openvino", 1) for _ in range(2)]
while models:  # the first one first
    models.pop(0)
    gc.collect()
heard = []
signal.signal(signal.SIGUSR1, lambda *_: heard.append("heard"))
os.kill(os.getpid(), signal.SIGUSR1)
print(*heard)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="without such signals")
def test_a_signal_is_heard_after_openvino_has_gone(openvino):
    done = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
