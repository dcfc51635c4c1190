"""The values that options take, apart from what they lead to, so that `--help` needs nothing else."""

from enum import StrEnum


class Format(StrEnum):
    """How predictions are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class Summary(StrEnum):
    """How a few figures are written."""

    TABLE = "table"
    JSON = "json"


class Tabular(StrEnum):
    """How a table of figures is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Group(StrEnum):
    """What the voices are adapted by, see `fusion.adaptation`."""

    COLLECTION = "collection"
    SPEAKER = "speaker"
