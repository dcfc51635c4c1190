"""Engines that turn speech into a transcript: Moonshine, faster-whisper, and those of plug-ins.

A plug-in offers an entry point in the group `emojudge.transcribers`: a function that takes what follows the
colon in `name:option` (or None) and the language (or None), and returns a Transcriber.
"""

import importlib
import logging
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emojudge import plugins
from emojudge.errors import EmojudgeError, MissingExtraError, TranscriptError
from emojudge.records import Segment, Transcript

SAMPLE_RATE = 16_000  # Hz, of what every engine is given
PLUGINS = "emojudge.transcribers"  # the group of entry points

# Silero's voice activity detection, before Moonshine hears anything.
SILENCE = 300  # ms; a pause this long ends a stretch of speech, which is about a sentence
LONGEST = 20.0  # seconds; a longer stretch is cut at its last short pause

# Whisper models that know many languages, best first; what of these is in the Hub's cache serves offline.
MULTILINGUAL = ("large-v3", "turbo", "medium", "small", "base", "tiny")

MODEL_FILES = ("config.json", "model.bin", "tokenizer.json")  # without its tokenizer, the Hub would be asked

log = logging.getLogger(__name__)

Samples = NDArray[np.float32]


class Transcriber(Protocol):
    """An engine, ready to run."""

    @property
    def name(self) -> str:
        """What a transcript's source says: engine, version and model."""
        ...

    def __call__(self, samples: Samples) -> Transcript:
        """What is said in `samples` `(samples,)`, mono at 16 kHz; without speech, an empty text.

        Raises:
            TranscriptError: the engine failed.
        """
        ...


def load_transcriber(spec: str | None = None, *, language: str | None = None) -> Transcriber | None:
    """The engine that a specification names, ready to run; `language` is a code such as "en" or "pt-BR".

    - "moonshine": Moonshine tiny-en with the weights of its package; English only.
    - "faster-whisper:FOLDER": Whisper from a folder with a CTranslate2 model.
    - "faster-whisper:SIZE": Whisper of this size ("base", "small.en" ...); downloaded unless it is cached.
      A folder of the same name is written "./base".
    - "faster-whisper": the best multilingual Whisper that is cached already.
    - the name of a plug-in, or "name:option".
    - None or "auto": the first of Moonshine (where the language is English or unknown) and "faster-whisper"
      that runs without a download; None where there is none.
    - "none": None.

    >>> load_transcriber("none") is None
    True

    Raises:
        TranscriptError: an unknown name, a language unknown to the engine, a model that does not load.
        MissingExtraError: the engine's packages are not installed.
    """
    if spec == "none":
        return None
    if spec is None or spec == "auto":
        return _first_that_works(language)
    name, _, option = spec.partition(":")
    load = plugins.find(PLUGINS, _ENGINES, name, TranscriptError, more=("auto", "none"))
    return load(option or None, language)


def _first_that_works(language: str | None) -> Transcriber | None:
    for load in (_load_moonshine, _load_whisper):
        try:
            return load(None, language)
        except EmojudgeError as error:
            log.info("not used for transcription: %s", error)
    return None


def _imported(module: str) -> ModuleType:
    feature = f"transcription with {module.partition('.')[0]}"
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(feature, "asr") from error
    except OSError as error:  # a system library such as PortAudio, which sounddevice wants
        raise TranscriptError(feature, found=str(error), expected="its libraries to load") from error


def _subtag(language: str | None) -> str | None:
    """The language itself: "pt" of "pt-BR"."""
    return language.replace("_", "-").partition("-")[0].strip().lower() or None if language else None


class Moonshine:
    """Moonshine tiny-en, on the stretches where Silero hears speech.

    Moonshine's own voice activity detection is turned off: its state outlives the call, and so a recording's
    transcript would depend on the recordings before it. Without any, it hears words in silence.
    """

    def __init__(self) -> None:
        # Its top package stays clear of sounddevice, which fails to import where there is no PortAudio.
        engine = _imported("moonshine_voice.transcriber")
        self._vad = _imported("faster_whisper.vad")
        folder = Path(_imported("moonshine_voice.utils").get_model_path("tiny-en"))
        self.name = f"moonshine-voice {version('moonshine-voice')} tiny-en"
        try:
            self._engine: Any = engine.Transcriber(
                folder, engine.ModelArch.TINY, options={"vad_threshold": "0", "return_audio_data": "false"}
            )
        except engine.MoonshineError as error:
            raise TranscriptError(self.name, found=str(error), expected="its model to load") from error
        self._error: type[Exception] = engine.MoonshineError
        self._lock = Lock()  # a call's result lies in memory that the next call reuses

    def __call__(self, samples: Samples) -> Transcript:
        segments = [
            Segment(start=start / SAMPLE_RATE, end=end / SAMPLE_RATE, text=text)
            for start, end in self._speech(samples)
            if (text := self._text(samples[start:end]))
        ]
        text = " ".join(segment.text for segment in segments)
        return Transcript(text=text, source=self.name, language="en", segments=tuple(segments))

    def _speech(self, samples: Samples) -> Iterator[tuple[int, int]]:
        """First and last sample of each stretch of speech."""
        options = self._vad.VadOptions(min_silence_duration_ms=SILENCE, max_speech_duration_s=LONGEST)
        for stretch in self._vad.get_speech_timestamps(samples, options) if len(samples) else ():
            yield int(stretch["start"]), int(stretch["end"])

    def _text(self, samples: Samples) -> str:
        try:
            with self._lock:
                lines = self._engine.transcribe_without_streaming(samples.tolist(), SAMPLE_RATE).lines
        except self._error as error:
            raise TranscriptError(self.name, found=str(error), expected="a transcript") from error
        return " ".join(" ".join(line.text for line in lines).split())


def _load_moonshine(option: str | None, language: str | None) -> Transcriber:
    if option is not None:
        raise TranscriptError("moonshine", found=f"the option {option!r}", expected="no option")
    if _subtag(language) not in (None, "en"):
        raise TranscriptError(
            "moonshine",
            found=f"the language {language!r}",
            expected="English ('en')",
            advice="Use 'faster-whisper:SIZE', which knows many languages.",
        )
    return Moonshine()


class Whisper:
    """A Whisper model by faster-whisper, in int8 on the CPU. Hears only what Silero takes for speech."""

    def __init__(self, folder: Path, language: str | None) -> None:
        package = _imported("faster_whisper")
        self.name = f"faster-whisper {package.__version__} {_model_name(folder)}"
        for file in MODEL_FILES:
            if not (folder / file).is_file():
                raise TranscriptError(
                    folder, found=f"no {file}", expected="a Whisper model converted for CTranslate2"
                )
        try:
            self._model: Any = package.WhisperModel(str(folder), device="cpu", compute_type="int8")
        except Exception as error:  # tokenizers raises bare ones
            raise TranscriptError(
                folder, found=str(error), expected="a Whisper model for CTranslate2"
            ) from error
        known = self._model.supported_languages
        self._language = _subtag(language)
        if self._language is not None and self._language not in known:
            raise TranscriptError(
                self.name, found=f"the language {language!r}", expected=f"one of {', '.join(known)}"
            )

    def __call__(self, samples: Samples) -> Transcript:
        try:
            stretches, about = self._model.transcribe(
                samples,
                language=self._language,
                temperature=0.0,  # the default's second tries are drawn at random
                vad_filter=True,
                condition_on_previous_text=False,
            )
            segments = tuple(
                Segment(start=stretch.start, end=stretch.end, text=stretch.text.strip())
                for stretch in stretches
                if stretch.text.strip()
            )
        except (RuntimeError, ValueError) as error:
            raise TranscriptError(self.name, found=str(error), expected="a transcript") from error
        text = " ".join(segment.text for segment in segments)
        language = about.language if text else self._language  # without speech, it was guessed from silence
        return Transcript(text=text, source=self.name, language=language, segments=segments)


def _model_name(folder: Path) -> str:
    """A model folder's name; in the Hub's cache (models--OWNER--NAME/snapshots/HASH), the model's."""
    parts = folder.absolute().parts
    if len(parts) > 2 and parts[-2] == "snapshots":
        return parts[-3].rpartition("--")[2]
    return parts[-1]


def _load_whisper(option: str | None, language: str | None) -> Transcriber:
    utils = _imported("faster_whisper.utils")
    if option is None:
        folder = next(filter(None, (_cached(utils, size) for size in MULTILINGUAL)), None)
        if folder is None:
            raise TranscriptError(
                "faster-whisper",
                found="no model in the cache",
                expected=f"one of {', '.join(MULTILINGUAL)}",
                advice="Name one to download it, as in 'faster-whisper:base', or name a folder.",
            )
    elif (
        option in utils.available_models()
    ):  # before folders: what a name means must not hang on where we are
        folder = _cached(utils, option) or _downloaded(utils, option)
    elif Path(option).expanduser().is_dir():
        folder = Path(option).expanduser()
    else:
        raise TranscriptError(
            "faster-whisper",
            found=f"the model {option!r}",
            expected=f"a folder, or one of {', '.join(utils.available_models())}",
        )
    return Whisper(folder, language)


def _cached(utils: ModuleType, size: str) -> Path | None:
    """The folder of a model in the Hub's cache, if all of it is there."""
    try:
        folder = Path(utils.download_model(size, local_files_only=True))
    except (OSError, ValueError):
        return None
    return folder if all((folder / file).is_file() for file in MODEL_FILES) else None


def _downloaded(utils: ModuleType, size: str) -> Path:
    try:
        return Path(utils.download_model(size))
    except Exception as error:  # of the Hub's client, its HTTP library, or the system
        raise TranscriptError(
            f"faster-whisper:{size}",
            found=f"{type(error).__name__}: {error}",
            expected="its model from the Hub",
            advice="Check the network, or name a folder with the model.",
        ) from error


_ENGINES: dict[str, Callable[[str | None, str | None], Transcriber]] = {
    "moonshine": _load_moonshine,
    "faster-whisper": _load_whisper,
}
