"""The engine torch: what the models themselves give, and what ONNX Runtime gives, in any company."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

import emojudge  # noqa: E402
from emojudge.bundle import torch_engine  # noqa: E402
from emojudge.bundle.engines import load_model  # noqa: E402
from emojudge.bundle.format import AcousticPart, Bundle, Fusion, LinguisticPart, write_manifest  # noqa: E402
from emojudge.bundle.make import equal_shares, make_bundle  # noqa: E402
from emojudge.bundle.quantise import quantise  # noqa: E402
from emojudge.bundle.sessions import LinguisticSession  # noqa: E402
from emojudge.errors import BundleError, EmojudgeError, MissingExtraError  # noqa: E402
from tests.bundle.test_engines import LENGTHS, clips  # noqa: E402
from tests.bundle.tiny_models import LONGEST, READERS, VOICES, keeping, voice, words  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "two_voices.flac"
AUDIO = AcousticPart(temperature=1.0, window_seconds=7)
TEXT = LinguisticPart(temperature=1.0, max_tokens=LONGEST, attributes=True, languages=("en",))
FUSION = Fusion(
    coefficients=tuple(tuple(row) for row in np.hstack([np.eye(8), np.eye(8)])),
    intercept=(0.0,) * 8,
    temperature=1.0,
    text_share=equal_shares(),
    method="sum",
)
SAMPLES = [1600, 7777, 16_000, 40_321]
HAS_BFLOAT16 = torch_engine.has_bfloat16(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def lines(lengths: list[int]) -> dict[str, NDArray]:
    generator = np.random.default_rng(sum(lengths))
    tokens = np.zeros((len(lengths), max(lengths)), dtype=np.int64)
    for row, n in enumerate(lengths):
        tokens[row, :n] = generator.integers(5, 13, n)
    return {"tokens": tokens, "lengths": np.array(lengths)}


def part_of(model: Any, inputs: dict[str, NDArray]) -> NDArray:
    """What the model itself gives, in float32."""
    given = [torch.from_numpy(array) for array in inputs.values()]
    with torch.inference_mode():
        output = model.embed(*given) if "waveforms" in inputs else model(*given)
    return np.asarray(output)


def rows(batch: dict[str, NDArray]) -> list[dict[str, NDArray]]:
    """Its items, each alone and without padding."""
    name, lengths = next(iter(batch)), batch["lengths"]
    return [
        {name: batch[name][at : at + 1, :n], "lengths": lengths[at : at + 1]} for at, n in enumerate(lengths)
    ]


@pytest.fixture
def bfloat16_anyhow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processors without it can do it, slowly."""
    monkeypatch.setattr(torch_engine, "has_bfloat16", lambda device: True)


@pytest.mark.parametrize("kind", VOICES)
def test_it_hears_as_the_model_does(kind: str, tmp_path: Path):
    model = voice(kind)
    bundle = keeping(tmp_path, acoustic=(model, AUDIO))
    embed, head = (load_model(bundle, part, "torch", 1) for part in ("acoustic", "acoustic_head"))
    assert (embed.width, head.width) == (None, model.head.features)
    batch = clips(SAMPLES)
    together = embed.run(batch)
    np.testing.assert_allclose(together, part_of(model, batch), atol=1e-4)
    alone = np.concatenate([embed.run(item) for item in rows(batch)])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    with torch.inference_mode():
        logits = model(*map(torch.from_numpy, batch.values())).numpy()
    np.testing.assert_allclose(head.run({"embeddings": together}), logits, atol=1e-4)


@pytest.mark.parametrize("kind", READERS)
def test_it_reads_as_the_model_does(kind: str, tmp_path: Path):
    model = words(kind)
    read = load_model(keeping(tmp_path, linguistic=(model, TEXT)), "linguistic", "torch", 1).run
    batch = lines([2, LONGEST, 7])
    together = read(batch)
    np.testing.assert_allclose(together, part_of(model, batch), atol=1e-4)
    np.testing.assert_allclose(together, np.concatenate([read(item) for item in rows(batch)]), atol=1e-4)


@pytest.mark.parametrize("kind", ["wavlm", "whisper"])
def test_threads_may_run_a_model_at_once(kind: str, tmp_path: Path):
    """WavLM's front-end keeps the number of frames of what it is running."""
    run = load_model(keeping(tmp_path, acoustic=(voice(kind), AUDIO)), "acoustic", "torch", 1).run
    batches = [clips([n, 1600]) for n in LENGTHS[2:6]] * 8
    expected = [run(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        for at_once, alone in zip(pool.map(run, batches), expected, strict=True):
            np.testing.assert_allclose(at_once, alone, atol=1e-5)


def test_each_model_runs_with_its_own_threads(tmp_path: Path):
    bundle = keeping(tmp_path, linguistic=(words("bert"), TEXT))
    before = torch.get_num_threads()
    try:
        one, three, all_cores = (load_model(bundle, "linguistic", "torch", n).run for n in (1, 3, 0))
        for run, threads in ((three, 3), (one, 1), (three, 3), (all_cores, torch_engine.THREADS)):
            run(lines([4]))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", ["whisper", "wavlm", "hubert-large"])
def test_a_voice_in_bfloat16_is_nearly_the_same(bfloat16_anyhow: None, kind: str, tmp_path: Path):
    """Within a hundredth of the features' spread, although spectrograms reach over 80 dB."""
    bundle = keeping(tmp_path, acoustic=(voice(kind), AUDIO))
    exact, rough = (
        load_model(bundle, "acoustic", e, 1).run(clips(SAMPLES)) for e in ("torch", "torch:bfloat16")
    )
    assert rough.dtype == np.float32
    assert 1e-5 < np.sqrt(np.mean((rough - exact) ** 2)) / exact.std() < 0.01


def test_words_in_bfloat16_are_nearly_the_same(bfloat16_anyhow: None, tmp_path: Path):
    bundle = keeping(tmp_path, linguistic=(words("roberta"), TEXT))
    exact, rough = (
        load_model(bundle, "linguistic", e, 1).run(lines([2, LONGEST, 7]))
        for e in ("torch", "torch:bfloat16")
    )
    assert 1e-5 < np.sqrt(np.mean((rough - exact) ** 2)) / exact.std() < 0.02


@pytest.mark.skipif(HAS_BFLOAT16, reason="this processor has bfloat16")
def test_bfloat16_is_refused_where_it_is_slow(tmp_path: Path):
    bundle = keeping(tmp_path, linguistic=(words("bert"), TEXT))
    expected = r"'torch': found precision 'bfloat16'; expected one of float32, float32\+compile on this"
    with pytest.raises(EmojudgeError, match=expected):
        load_model(bundle, "linguistic", "torch:bfloat16", 1)


def test_what_transformers_cannot_run_is_said_when_it_is_loaded(bfloat16_anyhow: None, tmp_path: Path):
    """DeBERTa fills its mask with a number that bfloat16 has not."""
    bundle = keeping(tmp_path, linguistic=(words("deberta"), TEXT))
    with pytest.raises(
        EmojudgeError, match=r"'torch:bfloat16': found RuntimeError: .*Take the engine torch:float32"
    ):
        load_model(bundle, "linguistic", "torch:bfloat16", 1)


def test_a_bundle_without_weights_says_how_to_make_one():
    with pytest.raises(BundleError, match=r"found no acoustic\.safetensors; .*emojudge bundle make --torch"):
        emojudge.load(asr="none", engine="torch")


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "emojudge.bundle.torch_engine", None)
    monkeypatch.delattr("emojudge.bundle.torch_engine", raising=False)
    with pytest.raises(MissingExtraError, match=r"the engine torch: .*emojudge\[train\]"):
        emojudge.load(asr="none", engine="torch")


def test_other_engines_do_not_load_torch():
    script = (
        "import sys, emojudge\n"
        "import emojudge.bundle.engines, emojudge.bundle.sessions, emojudge.bundle.tuned\n"
        f"emojudge.load(asr='none', engine='onnxruntime', threads=1)({str(EXAMPLE)!r})\n"
        "print('torch' in sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout == "False\n", result.stderr


# --------------------------------------------------------------------------------------------- compiled


def test_compiling_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CXX", "no-such-compiler")
    bundle = keeping(tmp_path, linguistic=(words("bert"), TEXT))
    with pytest.raises(EmojudgeError, match=r"found no C\+\+ compiler no-such-compiler; .*variable CXX"):
        load_model(bundle, "linguistic", "torch:float32+compile", 1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
def test_compiled_layers_give_the_same_at_any_length(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """And are compiled when they are loaded: neither other sizes nor a thread beside it compile again."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "bundle").mkdir()
    model = voice("wavlm")
    bundle = keeping(tmp_path / "bundle", acoustic=(model, AUDIO))
    run = load_model(bundle, "acoustic", "torch:float32+compile", 1).run
    compiled = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert compiled > 0
    batches = [clips([n]) for n in LENGTHS] + [clips(LENGTHS[:5]), clips([1600] * 40)]
    with ThreadPoolExecutor(2) as pool:
        for found, batch in zip(pool.map(run, batches), batches, strict=True):
            np.testing.assert_allclose(found, part_of(model, batch), atol=1e-4)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == compiled


# ------------------------------------------------------------------------------- against ONNX Runtime


@pytest.fixture(scope="module")
def whole(tiny_acoustic, tiny_linguistic, tiny_tokenizer, tmp_path_factory) -> Bundle:  # type: ignore[no-untyped-def]
    """A bundle as they are shipped, small, with weights for torch."""
    return make_bundle(
        tmp_path_factory.mktemp("torch") / "whole",
        "whole",
        acoustic=(tiny_acoustic, AUDIO),
        linguistic=(tiny_linguistic, TEXT, tiny_tokenizer),
        fusion=FUSION,
        small=True,
        torch_weights=True,
    )


def assert_alike(
    bundle: Bundle, part: str, batches: list[dict[str, NDArray]], tolerance: float = 1e-3
) -> None:
    one, other = (load_model(bundle, part, engine, 1) for engine in ("onnxruntime", "torch"))
    assert one.width == other.width
    for batch in batches:
        np.testing.assert_allclose(other.run(batch), one.run(batch), atol=tolerance)


@pytest.mark.slow
def test_a_small_bundle_keeps_whole_weights(whole: Bundle, tiny_linguistic):
    assert {"acoustic.safetensors", "linguistic.safetensors"} < whole.manifest.hashes.keys()
    assert whole.has_weights
    assert_alike(whole, "acoustic", [clips(SAMPLES)], 5e-3)  # the ONNX file's weights are float16
    session = LinguisticSession(whole, LONGEST, 1, "torch")
    texts = ["i am so happy", "never", "you call !"]
    np.testing.assert_allclose(session(texts), np.concatenate([session([t]) for t in texts]), atol=1e-5)
    batch = lines([3, 9])
    np.testing.assert_allclose(
        load_model(whole, "linguistic", "torch", 1).run(batch), part_of(tiny_linguistic, batch), atol=1e-5
    )


@pytest.mark.slow
def test_predictions_say_that_torch_ran(whole: Bundle):
    one, other = (
        emojudge.load(whole.folder, asr="none", engine=engine)(EXAMPLE, transcript="i am so happy")
        for engine in ("onnxruntime", "torch")
    )
    assert (one.engine, other.engine) == ("onnxruntime", "torch")
    assert other.modalities == ("audio", "text")
    told = list(one.scores.values())  # by float16 and 8 bits
    assert list(other.scores.values()) == pytest.approx(told, abs=0.05)


@pytest.mark.slow
def test_words_are_taken_over_with_their_weights(whole: Bundle, tiny_acoustic, tmp_path: Path):
    taken = make_bundle(tmp_path / "taken", "taken", linguistic=whole, torch_weights=True)
    assert taken.manifest.hashes["linguistic.safetensors"] == whole.manifest.hashes["linguistic.safetensors"]
    bare = make_bundle(tmp_path / "bare", "bare", linguistic=whole)
    assert not bare.has_weights
    with pytest.raises(BundleError, match=r"found no linguistic\.safetensors"):
        make_bundle(tmp_path / "again", "again", linguistic=bare, torch_weights=True)


@pytest.mark.slow
def test_8_bit_bundles_have_no_weights_for_torch(tmp_path: Path):
    """A copy of the embedded bundle whose files for torch mean nothing: they are not read."""
    shutil.copytree(Bundle.open().folder, tmp_path / "one")
    (tmp_path / "one" / "acoustic.safetensors").write_bytes(b"large")
    write_manifest(tmp_path / "one", Bundle.open().manifest)
    before = Bundle.open(tmp_path / "one")
    assert "acoustic.safetensors" in before.manifest.hashes
    after = quantise(before, tmp_path / "two")
    assert not [name for name in after.manifest.hashes if name.endswith(".safetensors")]
    assert not (tmp_path / "two" / "acoustic.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wavlm", "wav2vec2-large"])
def test_it_hears_as_onnx_runtime_does(kind: str, tmp_path: Path):
    """Both front-ends: normalised over the true frames, and over features; with WavLM's positions or none."""
    bundle = make_bundle(tmp_path / "bundle", kind, acoustic=(voice(kind), AUDIO), torch_weights=True)
    batches = [clips([n]) for n in LENGTHS]
    assert_alike(bundle, "acoustic", [*batches, clips(LENGTHS), clips([1600] * 40), clips([100_000, 1600])])
    pooled = np.random.default_rng(0).normal(size=(5, 64)).astype(np.float32)
    assert_alike(bundle, "acoustic_head", [{"embeddings": pooled[:n]} for n in (1, 5)])


@pytest.mark.slow
def test_it_reads_as_onnx_runtime_does(tiny_tokenizer: Path, tmp_path: Path):
    made = (words("roberta"), TEXT, tiny_tokenizer)
    bundle = make_bundle(tmp_path / "bundle", "roberta", linguistic=made, torch_weights=True)
    assert_alike(
        bundle, "linguistic", [lines(batch) for batch in ([2], [3], [LONGEST], [2, 16, 7], [5] * 40)]
    )
