"""Multimodal speech emotion recognition that checks its own work.

The names below are imported when they are first used, so that `import emojudge` is quick and needs no model.

>>> import emojudge
>>> emojudge.EMOTIONS[:3]
('angry', 'sad', 'happy')
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emojudge.emotions import EMOTIONS
    from emojudge.errors import AudioError, BundleError, EmojudgeError, MissingExtraError, TranscriptError
    from emojudge.recognizer import Recognizer, load
    from emojudge.records import Attributes, Failure, Opinion, Prediction, Transcript, Utterance

__version__ = "0.1.0"

__all__ = [
    "EMOTIONS",
    "Attributes",
    "AudioError",
    "BundleError",
    "EmojudgeError",
    "Failure",
    "MissingExtraError",
    "Opinion",
    "Prediction",
    "Recognizer",
    "Transcript",
    "TranscriptError",
    "Utterance",
    "__version__",
    "load",
]

_HOMES = {
    **dict.fromkeys(("Recognizer", "load"), "recognizer"),
    **dict.fromkeys(("Attributes", "Failure", "Opinion", "Prediction", "Transcript", "Utterance"), "records"),
    **dict.fromkeys(
        ("AudioError", "BundleError", "EmojudgeError", "MissingExtraError", "TranscriptError"), "errors"
    ),
    "EMOTIONS": "emotions",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # so that this is called once a name
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
