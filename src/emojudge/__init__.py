"""Multimodal speech emotion recognition that checks its own work.

The names below are imported when they are first used, so that `import emojudge` is quick and needs no model.

>>> import emojudge
>>> emojudge.EMOTIONS[:3]
('angry', 'sad', 'happy')
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emojudge.client import Client
    from emojudge.emotions import EMOTIONS
    from emojudge.errors import (
        AudioError,
        BundleError,
        EmojudgeError,
        JudgeError,
        MissingExtraError,
        ServerError,
        TranscriptError,
    )
    from emojudge.judge.judging import Judge
    from emojudge.recognizer import Recognizer, load
    from emojudge.records import (
        Attributes,
        Evidence,
        Failure,
        Opinion,
        Prediction,
        Transcript,
        Utterance,
        Verdict,
    )

# ONNX Runtime's released builds tell Microsoft of their use and leave an identifier in the home folder,
# unless this is set before it is imported; the Hub's library describes this machine to the Hub. Nothing here
# asks the network unless it is told to, and then for no more than what was named.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

__all__ = [
    "EMOTIONS",
    "Attributes",
    "AudioError",
    "BundleError",
    "Client",
    "EmojudgeError",
    "Evidence",
    "Failure",
    "Judge",
    "JudgeError",
    "MissingExtraError",
    "Opinion",
    "Prediction",
    "Recognizer",
    "ServerError",
    "Transcript",
    "TranscriptError",
    "Utterance",
    "Verdict",
    "__version__",
    "load",
]

_HOMES = {
    **dict.fromkeys(("Recognizer", "load"), "recognizer"),
    **dict.fromkeys(
        (
            *("Attributes", "Evidence", "Failure", "Opinion", "Prediction", "Transcript", "Utterance"),
            "Verdict",
        ),
        "records",
    ),
    **dict.fromkeys(
        (
            *("AudioError", "BundleError", "EmojudgeError", "JudgeError", "MissingExtraError"),
            *("ServerError", "TranscriptError"),
        ),
        "errors",
    ),
    "Client": "client",
    "Judge": "judge.judging",
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
