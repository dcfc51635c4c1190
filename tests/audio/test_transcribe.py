"""Engines: which one a specification gives, what is said where none fits, and what they hear."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from emojudge.audio import transcribe
from emojudge.audio.transcribe import SAMPLE_RATE, load_transcriber
from emojudge.audio.transcripts import read_transcript
from emojudge.errors import MissingExtraError, TranscriptError
from emojudge.records import Segment, Transcript

EXAMPLES = Path(__file__).parents[2] / "examples"
SECOND = np.zeros(SAMPLE_RATE, dtype=np.float32)


class Parrot:
    """A plug-in's engine."""

    def __init__(self, option: str | None, language: str | None) -> None:
        self.name = f"parrot {option} {language}"

    def __call__(self, samples: NDArray[np.float32]) -> Transcript:
        return Transcript(text=f"{len(samples)} samples", source=self.name)


def plug_in(monkeypatch: pytest.MonkeyPatch, *plugins: tuple[str, str]) -> None:
    points = EntryPoints(EntryPoint(name, value, transcribe.PLUGINS) for name, value in plugins)
    monkeypatch.setattr("emojudge.plugins.entry_points", points.select)


@pytest.fixture
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("moonshine_voice", "moonshine_voice.transcriber", "faster_whisper", "faster_whisper.utils"):
        monkeypatch.setitem(sys.modules, name, None)


class TestNames:
    def test_none_is_no_engine(self) -> None:
        assert load_transcriber("none") is None

    @pytest.mark.parametrize(
        ("spec", "advice"),
        [
            ("moonshin", "Did you mean 'moonshine'?"),
            ("Moonshine", "Did you mean 'moonshine'?"),
            ("whisper:base", "Did you mean 'faster-whisper'?"),
            ("parot", "Did you mean 'parrot'?"),
            ("xyz", ""),
            ("", ""),
        ],
    )
    def test_an_unknown_name(self, monkeypatch: pytest.MonkeyPatch, spec: str, advice: str) -> None:
        plug_in(monkeypatch, ("parrot", "nowhere:Parrot"))
        with pytest.raises(TranscriptError) as caught:
            load_transcriber(spec)
        assert caught.value.found == repr(spec.partition(":")[0])
        assert caught.value.expected == "one of faster-whisper, moonshine, parrot, auto, none"
        assert caught.value.advice == advice

    def test_moonshine_is_english_and_takes_no_option(self) -> None:
        for language in ("de", "pt-BR"):
            with pytest.raises(
                TranscriptError, match=f"language '{language}'; expected English.*faster-whisper"
            ):
                load_transcriber("moonshine", language=language)
        with pytest.raises(TranscriptError, match="option 'base'"):
            load_transcriber("moonshine:base")


class TestPlugins:
    def test_gets_option_and_language(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = ModuleType("parrots")
        module.Parrot = Parrot  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "parrots", module)
        plug_in(monkeypatch, ("parrot", "parrots:Parrot"))
        for spec, name in (("parrot:a:b", "parrot a:b de"), ("parrot", "parrot None de")):
            engine = load_transcriber(spec, language="de")
            assert engine is not None
            assert engine(SECOND) == Transcript(text="16000 samples", source=name)

    def test_one_that_does_not_load_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plug_in(monkeypatch, ("parrot", "no_such_module:Parrot"))
        with pytest.raises(
            TranscriptError, match=r"'parrot': found .*ModuleNotFoundError.*no_such_module:Parrot"
        ):
            load_transcriber("parrot")

    def test_two_of_one_name_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plug_in(monkeypatch, ("parrot", "a:Parrot"), ("parrot", "b:Parrot"))
        with pytest.raises(TranscriptError, match=r"several plug-ins \(a:Parrot, b:Parrot\)"):
            load_transcriber("parrot")


class TestWithoutEngines:
    @pytest.mark.usefixtures("_no_engine")
    @pytest.mark.parametrize("spec", ["moonshine", "faster-whisper", "faster-whisper:base"])
    def test_a_named_engine_says_what_to_install(self, spec: str) -> None:
        with pytest.raises(MissingExtraError, match=r"pip install 'emojudge\[asr\]'"):
            load_transcriber(spec)

    @pytest.mark.usefixtures("_no_engine")
    @pytest.mark.parametrize("language", [None, "en", "de"])
    def test_auto_is_none(self, language: str | None) -> None:
        assert load_transcriber("auto", language=language) is None
        assert load_transcriber(language=language) is None

    def test_a_missing_system_library_is_no_traceback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def without_portaudio(name: str) -> ModuleType:
            raise OSError("PortAudio library not found")

        monkeypatch.setattr(importlib, "import_module", without_portaudio)
        with pytest.raises(TranscriptError, match="PortAudio library not found"):
            load_transcriber("moonshine")
        assert load_transcriber() is None


class FasterWhisper:
    """Stands for the package: knows two models, has some of them in its cache, and counts downloads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.downloads: list[str] = []
        self.calls: list[dict[str, Any]] = []
        self.heard: list[tuple[float, float, str]] = []
        self.online = True

    def model(self, name: str, without: str = "") -> Path:
        folder = self.folder / f"models--Systran--{name}" / "snapshots" / "0123abc"
        folder.mkdir(parents=True, exist_ok=True)
        for file in transcribe.MODEL_FILES:
            if file != without:
                (folder / file).touch()
        return folder

    def download_model(self, size: str, local_files_only: bool = False) -> str:
        folder = self.folder / f"models--Systran--{size}" / "snapshots" / "0123abc"
        if not local_files_only:
            self.downloads.append(size)
            if not self.online:
                raise ConnectionError("no network")
            self.model(size)
        elif not folder.exists():
            raise FileNotFoundError(size)
        return str(folder)

    def load(self, folder: str, device: str, compute_type: str) -> SimpleNamespace:
        if "broken" in folder:
            raise RuntimeError("Unsupported model binary version")
        languages = ["en"] if ".en" in folder else ["de", "en"]
        return SimpleNamespace(supported_languages=languages, transcribe=self.transcribe)

    def transcribe(self, samples: NDArray[np.float32], **options: Any) -> tuple[Iterator[Any], Any]:
        self.calls.append(options)
        segments = (SimpleNamespace(start=a, end=b, text=text) for a, b, text in self.heard)
        return segments, SimpleNamespace(language=options["language"] or "nn")


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FasterWhisper:
    fake = FasterWhisper(tmp_path)
    utils = SimpleNamespace(available_models=lambda: ["base", "base.en"], download_model=fake.download_model)
    top = SimpleNamespace(WhisperModel=fake.load, __version__="1.9", utils=utils)
    monkeypatch.setitem(sys.modules, "faster_whisper", top)
    monkeypatch.setitem(sys.modules, "faster_whisper.utils", utils)
    return fake


class TestFasterWhisperModels:
    def test_auto_takes_what_is_cached_and_downloads_nothing(self, package: FasterWhisper) -> None:
        assert load_transcriber(language="de") is None
        with pytest.raises(TranscriptError, match=r"no model in the cache.*'faster-whisper:base'"):
            load_transcriber("faster-whisper")
        package.model("tiny")
        package.model("small", without="tokenizer.json")  # a download that was cut off
        for spec in (None, "auto", "faster-whisper"):
            engine = load_transcriber(spec, language="de")
            assert engine is not None
            assert engine.name == "faster-whisper 1.9 tiny"
        assert package.downloads == []

    def test_a_size_that_is_named_is_downloaded_once(
        self, package: FasterWhisper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "base").mkdir()  # is no model, and does not stand in the way
        monkeypatch.chdir(tmp_path)
        for _ in range(2):
            engine = load_transcriber("faster-whisper:base")
            assert engine is not None
            assert engine.name == "faster-whisper 1.9 base"
        assert package.downloads == ["base"]

    def test_without_network(self, package: FasterWhisper) -> None:
        package.online = False
        with pytest.raises(TranscriptError, match=r"ConnectionError: no network.*name a folder"):
            load_transcriber("faster-whisper:base")

    def test_folders(self, package: FasterWhisper, tmp_path: Path) -> None:
        engine = load_transcriber(f"faster-whisper:{package.model('mine').rename(tmp_path / 'mine')}")
        assert engine is not None
        assert engine.name == "faster-whisper 1.9 mine"
        with pytest.raises(TranscriptError, match=r"no tokenizer\.json"):  # it would be asked for at the Hub
            load_transcriber(f"faster-whisper:{package.model('half', without='tokenizer.json')}")
        with pytest.raises(TranscriptError, match="Unsupported model binary version"):
            load_transcriber(f"faster-whisper:{package.model('broken')}")
        for nothing in ("./nope", "owner/name", "bse"):
            with pytest.raises(
                TranscriptError, match=f"'{nothing}'; expected a folder, or one of base, base.en"
            ):
                load_transcriber(f"faster-whisper:{nothing}")
        assert package.downloads == []

    def test_segments_and_language(self, package: FasterWhisper) -> None:
        package.heard = [(0.0, 1.5, " Nein."), (1.5, 1.6, " "), (1.6, 2.0, " Doch!")]
        engine = load_transcriber("faster-whisper:base", language="de_AT")
        assert engine is not None
        assert engine(SECOND) == Transcript(
            text="Nein. Doch!",
            source="faster-whisper 1.9 base",
            language="de",
            segments=(Segment(start=0.0, end=1.5, text="Nein."), Segment(start=1.6, end=2.0, text="Doch!")),
        )
        assert package.calls[0]["language"] == "de"
        with pytest.raises(TranscriptError, match="language 'de'; expected one of en"):
            load_transcriber("faster-whisper:base.en", language="de")

    def test_the_language_of_silence_is_unknown(self, package: FasterWhisper) -> None:
        engine = load_transcriber("faster-whisper:base")
        assert engine is not None
        assert engine(SECOND) == Transcript(text="", source="faster-whisper 1.9 base")
        package.heard = [(0.0, 1.0, "Nei.")]
        assert engine(SECOND).language == "nn"


@pytest.mark.skipif("EMOJUDGE_TEST_WHISPER" not in os.environ, reason="EMOJUDGE_TEST_WHISPER names no folder")
def test_a_real_whisper_hears_the_example(call: NDArray[np.float32]) -> None:
    engine = load_transcriber(f"faster-whisper:{os.environ['EMOJUDGE_TEST_WHISPER']}", language="en")
    assert engine is not None
    heard = engine(call)
    assert "money back" in heard.text
    assert heard == engine(call)
    for silence in (SECOND[:0], SECOND):
        assert engine(silence).text == ""


@pytest.fixture(scope="module")
def call() -> NDArray[np.float32]:
    samples, rate = soundfile.read(EXAMPLES / "two_voices.flac", dtype="float32")
    assert rate == SAMPLE_RATE
    return np.asarray(samples)


@pytest.fixture(scope="module")
def moonshine() -> transcribe.Transcriber:
    for package in ("moonshine_voice", "faster_whisper"):
        pytest.importorskip(package, reason="needs the extra 'asr'")
    engine = load_transcriber("moonshine")
    assert engine is not None
    return engine


def words(text: str) -> set[str]:
    return {word.strip(".,!?").lower() for word in text.split()}


class TestMoonshine:
    def test_hears_the_example(self, moonshine: transcribe.Transcriber, call: NDArray[np.float32]) -> None:
        heard = moonshine(call)
        said = read_transcript(EXAMPLES / "two_voices.srt")
        assert len(words(heard.text) & words(said.text)) > 0.85 * len(words(said.text))
        assert heard.source.startswith("moonshine-voice 0.")
        assert heard.source.endswith(" tiny-en")
        assert heard.language == "en"
        assert heard.text == " ".join(segment.text for segment in heard.segments)
        ends = [0.0, *(segment.end for segment in heard.segments)]
        assert all(a <= s.start < s.end for a, s in zip(ends, heard.segments, strict=False))
        money = next(segment for segment in heard.segments if "money" in segment.text)
        true = next(segment for segment in said.segments if "money" in segment.text)
        assert abs(money.start - true.start) < 1
        assert abs(money.end - true.end) < 1

    def test_hears_nothing_where_nobody_speaks(self, moonshine: transcribe.Transcriber) -> None:
        generator = np.random.default_rng(0)
        noise = generator.standard_normal(5 * SAMPLE_RATE).astype(np.float32)
        tone = np.sin(np.arange(3 * SAMPLE_RATE) * 0.1, dtype=np.float32)
        for samples in (SECOND[:0], SECOND[:10], SECOND, 0.05 * noise, noise, 0.3 * tone):
            heard = moonshine(samples)
            assert (heard.text, heard.segments) == ("", ())

    def test_does_not_depend_on_what_came_before(
        self, moonshine: transcribe.Transcriber, call: NDArray[np.float32]
    ) -> None:
        clip = call[12 * SAMPLE_RATE : 15 * SAMPLE_RATE]
        first = moonshine(clip)
        for before in (call[: 3 * SAMPLE_RATE], call[5 * SAMPLE_RATE : 7 * SAMPLE_RATE], SECOND):
            moonshine(before)
            assert moonshine(clip) == first

    def test_long_recordings_are_heard_to_the_end(
        self, moonshine: transcribe.Transcriber, call: NDArray[np.float32]
    ) -> None:
        gap = np.zeros(60 * SAMPLE_RATE, dtype=np.float32)
        clip = call[12 * SAMPLE_RATE : 15 * SAMPLE_RATE]
        heard = moonshine(np.concatenate([clip, gap, clip, gap, clip]))
        starts = [round(segment.start / 63) * 63 for segment in heard.segments if "money" in segment.text]
        assert starts == [0, 63, 126]

    def test_needs_neither_network_nor_sound_device(self, moonshine: transcribe.Transcriber) -> None:
        program = f"""
import socket, sys
sys.modules["sounddevice"] = None  # as where PortAudio is missing
def refuse(*arguments): raise SystemExit("asked for the network")
socket.socket.connect = socket.getaddrinfo = refuse
import soundfile
from emojudge.audio.transcribe import load_transcriber
samples, _ = soundfile.read({str(EXAMPLES / "two_voices.flac")!r}, dtype="float32", stop=60_000)
print(load_transcriber()(samples).text)
"""
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        assert "help" in result.stdout
