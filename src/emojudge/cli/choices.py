"""The values that options take, apart from what they lead to, so that `--help` needs nothing else."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

# Options of the verbs that predict.
BundleName = Annotated[
    str | None,
    typer.Option(
        "--bundle",
        metavar="BUNDLE",
        help="Models to use instead of the embedded ones: a folder, or hf://ORG/NAME of the Hub.",
    ),
]
Language = Annotated[
    str | None, typer.Option("--language", metavar="CODE", help="Language of the speech, such as en.")
]
Asr = Annotated[
    str,
    typer.Option(
        "--asr",
        metavar="auto|none|moonshine|faster-whisper:FOLDER",
        help="Who writes down recordings that have no transcript.",
    ),
]
Threads = Annotated[
    int,
    typer.Option("--threads", metavar="N", min=0, max=1024, help="Threads of the models; 0: one per core."),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="onnxruntime|openvino|torch[:PRECISION]",
        help="What runs the models; default: what 'emojudge doctor --tune' found, or onnxruntime.",
        show_default=False,
    ),
]
# Options of the verbs that train, or make a bundle of what was trained.
DataFolder = Annotated[
    Path,
    typer.Option(
        "--data", metavar="DIR", help="The folder that holds the corpora's folders.", show_default=False
    ),
]
WeightsFolder = Annotated[
    Path | None,
    typer.Option(
        "--weights", metavar="DIR", help="The folder in which pre-trained weights lie by the recipe's name."
    ),
]


class Format(StrEnum):
    """How predictions are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class Layout(StrEnum):
    """How a timeline is written."""

    HTML = "html"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    SRT = "srt"


class Summary(StrEnum):
    """How a few figures are written."""

    TABLE = "table"
    JSON = "json"


class Report(StrEnum):
    """How an evaluation is written."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class Tabular(StrEnum):
    """How a table of figures is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Group(StrEnum):
    """What the voices are adapted by, see `fusion.adaptation`."""

    COLLECTION = "collection"
    SPEAKER = "speaker"
