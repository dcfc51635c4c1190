"""What many tests share: tiny models of the real classes, a bundle of them, the real corpora, a browser."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Each worker has a core; said before numpy and torch look how many there are.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

from emojudge.bundle.format import AcousticPart, Bundle, Fusion, LinguisticPart
from tests.serve.serving import Server, served

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "i", "am", "so", "happy", "sad", "!", "you", "never", "call"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that the last ones keep every worker busy."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="session")
def memory_is_given_back() -> Iterator[None]:
    """`emojudge train` keeps what it freed until its process ends; a process of many tests must not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emojudge.training.memory.keep_freed_memory", lambda: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def nothing_was_tuned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test, nor a child of one, uses what `emojudge doctor --tune` found for the developer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="session")
def tiny_acoustic():  # type: ignore[no-untyped-def]
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    from transformers import WhisperConfig

    from emojudge.models.acoustic import AcousticModel
    from emojudge.models.whisper import WhisperBackbone
    from emojudge.recipe import AcousticSettings, BackboneSettings

    torch.manual_seed(3)
    config = WhisperConfig(
        d_model=32, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=64, num_mel_bins=80
    )
    settings = AcousticSettings(
        backbone=BackboneSettings(kind="whisper", weights=""), normalisation="utterance", head_width=16
    )
    return AcousticModel(WhisperBackbone(config), 8, settings).eval()


@pytest.fixture(scope="session")
def tiny_linguistic():  # type: ignore[no-untyped-def]
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    from transformers import BertConfig, BertModel

    from emojudge.models.linguistic import LinguisticModel

    torch.manual_seed(4)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
    )
    return LinguisticModel(BertModel(config, add_pooling_layer=False), 11, 0.1).eval()


@pytest.fixture(scope="session")
def tiny_bundle(tiny_acoustic, tiny_linguistic, tiny_tokenizer, tmp_path_factory) -> Bundle:  # type: ignore[no-untyped-def]
    """A bundle with both models, random but of the real classes, exported as real ones are."""
    from emojudge.bundle.make import equal_shares, make_bundle

    generator = np.random.default_rng(0)
    features = 64
    fusion = Fusion(
        coefficients=tuple(tuple(row) for row in generator.normal(size=(8, 16))),
        intercept=(0.0,) * 8,
        temperature=1.0,
        text_share=equal_shares(),
        method="random, for tests",
    )
    audio = AcousticPart(
        temperature=1.0,
        window_seconds=3.0,
        embedding_mean=(0.0,) * features,
        embedding_deviation=(1.0,) * features,
    )
    text = LinguisticPart(temperature=1.0, max_tokens=16, attributes=True, languages=("en",))
    return make_bundle(
        tmp_path_factory.mktemp("bundle") / "tiny",
        "tiny",
        acoustic=(tiny_acoustic, audio),
        linguistic=(tiny_linguistic, text, tiny_tokenizer),
        fusion=fusion,
    )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`emojudge serve` with a judge that needs no model, keeping audio, without a limit of requests."""
    pytest.importorskip("uvicorn", reason="needs the extra 'serve'")
    data = tmp_path_factory.mktemp("serve") / "data"
    with served(data, "--judge", "echo", "--keep-audio", "--rate", "0") as running:
        yield running


@pytest.fixture
def shared() -> Path:
    """The folder of the development corpora."""
    folder = os.environ.get("EMOJUDGE_CORPORA")
    if not folder:
        pytest.skip("EMOJUDGE_CORPORA does not name the folder of the development corpora")
    return Path(folder)


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Any]]:
    """Starts a real browser, Debian's or Playwright's Chromium; without one, tests are skipped."""
    api = pytest.importorskip("playwright.sync_api", reason="needs the extra 'dev' (playwright)")
    named = os.environ.get("CHROMIUM")
    program = named or shutil.which("chromium") or shutil.which("chromium-browser")
    # Root in a container has no sandbox; sound must start without a click.
    usual = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
    with api.sync_playwright() as playwright:  # of which a process can have one

        def started(*arguments: str) -> Any:
            try:
                return playwright.chromium.launch(executable_path=program, args=[*usual, *arguments])
            except api.Error as error:
                pytest.skip(f"no Chromium here: {str(error).splitlines()[0]}")

        yield started


@pytest.fixture(scope="session")
def chromium(launch: Callable[..., Any]) -> Iterator[Any]:
    browser = launch()
    yield browser
    browser.close()
