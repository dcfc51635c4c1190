"""What annotators heard, by utterance: the labels that tuning and `--labels` compare with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from emojudge.corpora.table import table_rows
from emojudge.emotions import ATTRIBUTES, Emotion, parse_emotion
from emojudge.errors import CorpusError, JudgeError
from emojudge.records import Attributes

_IDS = ("id", "file", "filename", "utterance")  # MSP-Podcast's labels_consensus.csv has FileName
_EMOTIONS = ("label", "truth", "emotion", "emoclass")
_ATTRIBUTES = {
    "valence": ("valence", "emoval"),
    "arousal": ("arousal", "emoact"),
    "dominance": ("dominance", "emodom"),
}
_SPEAKERS = ("speaker", "spkrid", "speaker_id")


@dataclass(frozen=True)
class Label:
    """One utterance's labels; what a table does not have is None."""

    emotion: Emotion | None = None
    attributes: Attributes | None = None
    speaker: str | None = None


def read_labels(path: Path) -> dict[str, Label]:
    """Labels by id or file name from a table with columns such as id, emotion, valence, arousal, dominance.

    Raises:
        JudgeError: an unreadable table, or one without ids or labels.
    """
    found: dict[str, Label] = {}
    try:
        for line, cells in table_rows(path):
            text = {name.strip().lower(): str(value or "").strip() for name, value in cells.items()}
            name = _first(text, _IDS)
            if not name:
                raise JudgeError(f"{path}:{line}", found="no id", expected=f"a column {', '.join(_IDS)}")
            found[name] = Label(
                emotion=parse_emotion(_first(text, _EMOTIONS)),
                attributes=_attributes(f"{path}:{line}", text),
                speaker=_first(text, _SPEAKERS) or None,
            )
    except CorpusError as error:
        raise JudgeError(error.where, found=error.found, expected=error.expected) from error
    except OSError as error:
        raise JudgeError(path, found=str(error.strerror), expected="a table of labels") from error
    if not any(label.emotion or label.attributes for label in found.values()):
        raise JudgeError(
            path, found="no label", expected="a column of emotions, or valence, arousal and dominance"
        )
    return found


def label_of(labels: Mapping[str, Label], utterance: str) -> Label | None:
    """The labels of an utterance by its id, its file's name, or that without its suffix."""
    for name in (utterance, Path(utterance).name, Path(utterance).stem):
        if name in labels:
            return labels[name]
    return None


def _first(text: Mapping[str, str], names: Iterable[str]) -> str:
    return next((text[name] for name in names if text.get(name)), "")


def _attributes(where: str, text: Mapping[str, str]) -> Attributes | None:
    values = {name: _first(text, _ATTRIBUTES[name]) for name in ATTRIBUTES}
    if not all(values.values()):
        return None
    try:
        return Attributes.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        found = f"{fault['loc'][0]} = {fault['input']!r}"
        raise JudgeError(where, found=found, expected="a number from 1 to 7") from error
