"""Predictions of any recogniser, read from a table: each row as it is, and the prediction in it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from emojudge.corpora.table import GENDERS
from emojudge.corpora.tabular import SUFFIXES, check_mapping, columns_by_name, table_rows
from emojudge.emotions import (
    ATTRIBUTES,
    EMOTIONS,
    LETTERS,
    SCALE_MAX,
    SCALE_MIN,
    Emotion,
    attributes_of,
    parse_emotion,
    scores_in_order,
)
from emojudge.errors import CorpusError, PredictionsError
from emojudge.records import Attributes, Opinion, Prediction, Transcript, Utterance

COLUMNS: dict[str, tuple[str, ...]] = {  # ours: the names looked for, whatever their case, first found first
    "id": ("id", "file", "filename", "utterance"),
    "emotion": ("emotion", "predicted", "prediction"),
    "score": ("score", "confidence", "probability"),  # of the predicted emotion, where there are no others
    "transcript": ("transcript", "text"),
    "file": ("file", "filename"),
    "speaker": ("speaker",),
    "gender": ("gender", "sex"),
    "language": ("language",),
    "recording": ("recording", "dialogue", "dialogue_id"),
    "position": ("position", "turn", "utterance_id"),
    "valence": ("valence",),
    "arousal": ("arousal",),
    "dominance": ("dominance",),
}
_KINDS = ("", "audio_", "text_")  # fused scores, and those of voice and words alone


@dataclass(frozen=True)
class Row:
    """A row of a table of predictions, with its prediction or why it has none."""

    line: int
    cells: dict[str, Any]  # as the table has them
    id: str
    prediction: Prediction | None = None
    utterance: Utterance | None = None
    error: str | None = None
    has_scores: bool = True
    attributes: Attributes | None = None  # of a row that has nothing else


@dataclass
class Predictions:
    """A table of predictions: `.csv`, `.tsv`, or `.jsonl` as `emojudge predict` or another program writes it.

    Columns are looked for by the names in COLUMNS; scores by `score_EMOTION` or the emotion's name, those of
    one modality by `audio_score_EMOTION` and `text_score_EMOTION`. Rows without an emotion (`error` in ours)
    are kept as failures. Emotions are named in full, by letter or by a common synonym.

    Args:
        path: the table, or a folder of such tables, such as the parts that a bulk run writes.
        columns: our name → the table's, for columns with other names.
        scale: of the table's attributes, which become 1..7.
        attributes_alone: rows with attributes and without an emotion are none that failed.

    Raises:
        PredictionsError: no such file, a mapping for an unknown name, or no column of emotions.
    """

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    scale: tuple[float, float] = (SCALE_MIN, SCALE_MAX)
    attributes_alone: bool = False

    def __post_init__(self) -> None:
        if not self._tables():
            kinds = {True: f"a {self.path.suffix or 'nameless'} file", False: "no such file"}
            found = "a folder without one" if self.path.is_dir() else kinds[self.path.is_file()]
            raise PredictionsError(
                self.path, found=found, expected=f"a table of predictions ({', '.join(SUFFIXES)})"
            )
        check_mapping(self.path, self.columns, COLUMNS, PredictionsError)

    def _tables(self) -> list[Path]:
        files = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path]
        return [file for file in files if file.suffix.lower() in SUFFIXES and file.is_file()]

    def __iter__(self) -> Iterator[Row]:
        """Rows as they are read. An id that is there twice gets its line's number."""
        seen: set[str] = set()
        names: dict[str, str] = {}
        scores: dict[str, dict[Emotion, str]] = {}
        header: tuple[str, ...] = ()
        try:
            for line, cells in chain.from_iterable(map(table_rows, self._tables())):
                if tuple(cells) != header:  # rows of JSONL may differ
                    header = tuple(cells)
                    names, scores = self._names(header), _score_columns(header)
                row = self._row(line, dict(cells), names, scores)
                if row.id in seen:
                    row = _renamed(row, f"{row.id}#{line}")
                seen.add(row.id)
                yield row
        except CorpusError as error:
            raise PredictionsError(error.where, found=error.found, expected=error.expected) from error

    def _names(self, header: tuple[str, ...]) -> dict[str, str]:
        """Our name → the table's, for the columns that it has."""
        lost = [column for column in self.columns.values() if column not in header]
        if lost and self.path.suffix.lower() != ".jsonl":
            raise PredictionsError(
                self.path, found=f"the columns {', '.join(header)}", expected=f"{lost[0]!r} among them"
            )
        names = columns_by_name(header, self.columns, COLUMNS)
        rated = self.attributes_alone and all(name in names for name in ATTRIBUTES)
        if "emotion" not in names and "error" not in header and not rated:
            raise PredictionsError(
                self.path,
                found=f"the columns {', '.join(header)}",
                expected="'emotion' among them",
                advice="Name the column of predictions: --columns emotion=NAME.",
            )
        return names

    def _row(
        self, line: int, cells: dict[str, Any], names: dict[str, str], scores: dict[str, dict[Emotion, str]]
    ) -> Row:
        name = str(cells.get(names.get("id", ""), "") or f"{self.path.stem}:{line}")
        try:
            if isinstance(cells.get("scores"), dict) and "bundle" in cells:  # a record of ours
                prediction = Prediction.model_validate(cells)
                return Row(line, cells, prediction.id, prediction, Utterance(id=prediction.id))
            if cells.get("error"):
                return Row(line, cells, name, error=str(cells["error"]))
            return self._foreign(line, cells, name, names, scores)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            return Row(line, cells, name, error=f"{self.path}:{line}: found {place}: {fault['msg']}")
        except PredictionsError as error:
            return Row(line, cells, name, error=str(error))

    def _foreign(
        self,
        line: int,
        cells: dict[str, Any],
        name: str,
        names: dict[str, str],
        columns: dict[str, dict[Emotion, str]],
    ) -> Row:
        where = f"{self.path}:{line}"
        text = {ours: _text(cells.get(theirs)) for ours, theirs in names.items()}
        emotion = parse_emotion(text.get("emotion", ""))
        attributes = _attributes(where, text, self.scale)
        if attributes and self.attributes_alone and not text.get("emotion"):
            return Row(line, cells, name, attributes=attributes)
        if emotion is None:
            found = f"the emotion {text.get('emotion', '')!r}"
            raise PredictionsError(where, found=found, expected=f"one of {', '.join(EMOTIONS)}")
        by_kind = {kind: _scores(where, cells, columns.get(kind, {})) for kind in _KINDS}
        scores = by_kind[""] or _from_one(where, emotion, text.get("score", ""))
        transcript = None
        if text.get("transcript"):
            source = _text(cells.get("transcript_source")) or self.path.name
            transcript = Transcript(
                text=text["transcript"], source=source, language=text.get("language") or None
            )
        opinions = {kind: _opinion(by_kind[kind]) for kind in ("audio_", "text_")}
        prediction = Prediction(
            id=name,
            emotion=emotion,
            scores=scores,
            attributes=attributes or _derived(scores),
            attributes_from=dict.fromkeys(ATTRIBUTES, "model" if attributes else "derived"),
            modalities=("audio", "text") if transcript else ("audio",),
            audio=opinions["audio_"],
            text=opinions["text_"],
            transcript=transcript,
            bundle=_text(cells.get("bundle")) or self.path.name,
        )
        utterance = Utterance(
            id=name,
            audio=self.path.parent / text["file"] if text.get("file") else None,
            transcript=transcript,
            speaker=text.get("speaker") or None,
            gender=GENDERS.get(text.get("gender", "").lower()),
            language=text.get("language") or None,
            recording=text.get("recording") or None,
            position=_number(where, "position", text.get("position", "")),
        )
        known = bool(by_kind[""]) or bool(text.get("score"))
        return Row(line, cells, name, prediction, utterance, has_scores=known)


def _score_columns(header: tuple[str, ...]) -> dict[str, dict[Emotion, str]]:
    """By kind of scores, the column of each emotion: `score_sad`, `audio_score_sad`; or `sad`, `sadness`."""
    found: dict[str, dict[Emotion, str]] = {kind: {} for kind in _KINDS}
    for column in header:
        name = column.strip().lower()
        for kind in _KINDS:
            rest = name.removeprefix(f"{kind}score_") if name.startswith(f"{kind}score_") else None
            if rest is None and kind == "" and name.upper() not in LETTERS:
                rest = name
            emotion = parse_emotion(rest) if rest else None
            if emotion is not None:
                found[kind].setdefault(emotion, column)
                break
    return found


def _scores(
    where: str, cells: Mapping[str, Any], columns: Mapping[Emotion, str]
) -> dict[Emotion, float] | None:
    """Scores that sum to 1, of all eight emotions; None where the cells are empty."""
    values = {e: _number(where, column, _text(cells.get(column))) for e, column in columns.items()}
    if not any(value is not None for value in values.values()):
        return None
    known = {emotion: values.get(emotion) or 0.0 for emotion in EMOTIONS}
    total = math.fsum(known.values())
    if min(known.values()) < 0 or total <= 0:
        raise PredictionsError(
            where, found=f"scores {list(known.values())}", expected="probabilities, not logits"
        )
    return {emotion: value / total for emotion, value in known.items()}


def _from_one(where: str, emotion: Emotion, score: str) -> dict[Emotion, float]:
    """Scores where only the winner's is known, or none: the others share the rest."""
    value = _number(where, "score", score)
    value = 1.0 if value is None else value
    if not 0 <= value <= 1:
        raise PredictionsError(where, found=f"the score {value}", expected="a probability from 0 to 1")
    rest = (1 - value) / (len(EMOTIONS) - 1)
    return {name: value if name == emotion else rest for name in EMOTIONS}


def _attributes(where: str, text: Mapping[str, str], scale: tuple[float, float]) -> Attributes | None:
    values = {name: _number(where, name, text.get(name, "")) for name in ATTRIBUTES}
    known = {name: value for name, value in values.items() if value is not None}
    if len(known) < len(ATTRIBUTES):
        return None
    low, high = scale
    width = (SCALE_MAX - SCALE_MIN) / (high - low)
    return Attributes.model_validate({n: SCALE_MIN + (v - low) * width for n, v in known.items()})


def _derived(scores: Mapping[Emotion, float]) -> Attributes:
    values = attributes_of(scores_in_order(scores))
    return Attributes(**{name: float(value) for name, value in zip(ATTRIBUTES, values, strict=True)})


def _opinion(scores: dict[Emotion, float] | None) -> Opinion | None:
    if scores is None:
        return None
    logits = {emotion: math.log(max(score, 1e-9)) for emotion, score in scores.items()}
    return Opinion(logits=logits, scores=scores, attributes=_derived(scores))


def _number(where: str, name: str, cell: str) -> float | None:
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise PredictionsError(where, found=f"{name} = {cell!r}", expected="a number")
    return value


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip().encode("utf-8", "replace").decode()


def _renamed(row: Row, name: str) -> Row:
    update = {"id": name}
    return replace(
        row,
        id=name,
        prediction=row.prediction and row.prediction.model_copy(update=update),
        utterance=row.utterance and row.utterance.model_copy(update=update),
    )
