"""What annotators heard, by utterance: the labels that evaluation, tuning and `--labels` compare with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from emojudge.corpora.reading import some
from emojudge.corpora.tabular import table_rows
from emojudge.emotions import ATTRIBUTES, EMOTIONS, Emotion, parse_emotion
from emojudge.errors import CorpusError, PredictionsError
from emojudge.records import Attributes, Utterance

_IDS = ("id", "file", "filename", "utterance")  # MSP-Podcast's labels_consensus.csv has FileName
_OWN = ("label", "truth")  # never a prediction's column
_EMOTIONS = ("emotion", "emoclass")
_ATTRIBUTES = {"valence": "emoval", "arousal": "emoact", "dominance": "emodom"}  # MSP-Podcast's names
_SPEAKERS = ("speaker", "spkrid", "speaker_id")


@dataclass(frozen=True)
class Label:
    """One utterance's labels; what a table does not have is None."""

    id: str = ""
    emotion: Emotion | None = None
    attributes: Attributes | None = None
    speaker: str | None = None
    votes: dict[Emotion, float] | None = None  # counts or shares of annotators
    named: str = ""  # the emotion as the table names it
    cells: Mapping[str, str] = field(default_factory=dict)  # all columns, for slices
    audio: Path | None = None


def read_labels(
    path: Path, columns: Mapping[str, str] | None = None, *, beside_predictions: bool = False
) -> dict[str, Label]:
    """Labels by id or file name from a table with columns such as id, emotion, valence, arousal, dominance.

    Args:
        path: a `.csv`, `.tsv`, `.jsonl` or `.parquet` file.
        columns: our name (id, emotion, speaker, valence …) → the table's, for columns with other names.
        beside_predictions: the table is that of the predictions, whose own columns are no labels: emotions
            are looked for as label or truth alone, attributes as label_valence or truth_valence.

    Raises:
        PredictionsError: an unreadable table, one without ids or labels, or with an id twice.
    """
    found: dict[str, Label] = {}
    twice: list[str] = []
    try:
        for line, cells in table_rows(path):
            text = {name.strip().lower(): str(value or "").strip() for name, value in cells.items()}
            label = _label(path, line, text, _mapped(path, columns or {}, text), beside_predictions)
            if label.id in found:
                twice.append(label.id)
            found[label.id] = label
    except CorpusError as error:
        raise PredictionsError(error.where, found=error.found, expected=error.expected) from error
    except OSError as error:
        raise PredictionsError(path, found=str(error.strerror), expected="a table of labels") from error
    if twice:
        raise PredictionsError(
            path,
            found=f"{len(twice)} rows with an id that was there before: {some(twice)}",
            expected="each once",
        )
    if not any(label.emotion or label.attributes or label.votes for label in found.values()):
        wanted = ", ".join(_names(beside_predictions)["emotion"])
        names = dict.fromkeys(label.named for label in found.values() if label.named)
        raise PredictionsError(
            path,
            found=f"no label that names an emotion: {some(names)}" if names else "no label",
            expected=f"a column of emotions ({wanted}) or of attributes",
            advice="Name the column, such as --truth-columns emotion=NAME.",
        )
    return found


def labels_of(utterances: Iterable[Utterance]) -> dict[str, Label]:
    """Labels of a corpus's utterances by id, and by the recording's name where no other has it."""
    found: dict[str, Label] = {}
    names: dict[str, list[Label]] = {}
    for utterance in utterances:
        label = Label(
            id=utterance.id,
            emotion=utterance.emotion,
            attributes=utterance.attributes,
            speaker=utterance.speaker,
            votes=utterance.votes,
            named=utterance.label or utterance.emotion or "",
            cells={
                name: str(value)
                for name in ("gender", "language", "split", "recording", "label", "intensity")
                if (value := getattr(utterance, name)) is not None
            },
            audio=utterance.audio,
        )
        found[utterance.id] = label
        if utterance.audio is not None:
            for name in {utterance.audio.name, utterance.audio.stem}:
                names.setdefault(name, []).append(label)
    return {**{name: labels[0] for name, labels in names.items() if len(labels) == 1}, **found}


def label_of(labels: Mapping[str, Label], utterance: str) -> Label | None:
    """The labels of an utterance by its id, its file's name, or that without its suffix."""
    for name in (utterance, Path(utterance).name, Path(utterance).stem):
        if name in labels:
            return labels[name]
    return None


def _mapped(path: Path, columns: Mapping[str, str], text: Mapping[str, str]) -> dict[str, str]:
    lost = [theirs for theirs in columns.values() if theirs.strip().lower() not in text]
    if lost:
        raise PredictionsError(
            path, found=f"the columns {', '.join(text)}", expected=f"{lost[0]!r} among them"
        )
    return {ours.strip().lower(): theirs.strip().lower() for ours, theirs in columns.items()}


def _label(
    path: Path, line: int, text: Mapping[str, str], columns: Mapping[str, str], beside_predictions: bool
) -> Label:
    where, names = f"{path}:{line}", _names(beside_predictions)

    def first(ours: str) -> str:
        return _first(text, (columns[ours],) if ours in columns else names[ours])

    name = first("id")
    if not name:
        raise PredictionsError(where, found="no id", expected=f"a column {', '.join(_IDS)}")
    named = first("emotion")
    return Label(
        id=name,
        emotion=parse_emotion(named),
        attributes=_attributes(where, {n: first(n) for n in ATTRIBUTES}),
        speaker=first("speaker") or None,
        votes=_votes(where, text),
        named=named,
        cells=text,
        audio=path.parent / text["file"] if text.get("file") else None,
    )


def _names(beside_predictions: bool) -> dict[str, tuple[str, ...]]:
    """Under which names each of our columns is looked for, the first found first."""
    made: dict[str, tuple[str, ...]] = {"id": _IDS, "speaker": _SPEAKERS}
    made["emotion"] = _OWN if beside_predictions else (*_OWN, *_EMOTIONS)
    for name, other in _ATTRIBUTES.items():
        own = tuple(f"{prefix}_{name}" for prefix in _OWN)
        made[name] = own if beside_predictions else (*own, name, other)
    return made


def _first(text: Mapping[str, str], names: Iterable[str]) -> str:
    return next((text[name] for name in names if text.get(name)), "")


def _votes(where: str, text: Mapping[str, str]) -> dict[Emotion, float] | None:
    cells = {emotion: text.get(f"vote_{emotion}", "") for emotion in EMOTIONS}
    if not any(cells.values()):
        return None
    try:
        votes = {emotion: float(cell or 0) for emotion, cell in cells.items()}
        if min(votes.values()) < 0:
            raise ValueError
    except ValueError:
        raise PredictionsError(
            where, found=f"votes {list(cells.values())}", expected="numbers of annotators"
        ) from None
    return votes if sum(votes.values()) > 0 else None


def _attributes(where: str, values: Mapping[str, str]) -> Attributes | None:
    if not all(values.values()):
        return None
    try:
        return Attributes.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        found = f"{fault['loc'][0]} = {fault['input']!r}"
        raise PredictionsError(
            where, found=found, expected="a number from 1 to 7", advice="Rescale other scales first."
        ) from error
