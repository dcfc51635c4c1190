"""Predictions beside their labels, row by row, with everything said that does not fit."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.corpora.reading import some
from emojudge.emotions import ATTRIBUTES, EMOTIONS, parse_emotion
from emojudge.errors import PredictionsError
from emojudge.evaluation.labels import Label, label_of
from emojudge.evaluation.predictions import Predictions, Row
from emojudge.records import Attributes, Prediction

NONE = -1  # in arrays of emotions: no label, or no prediction


@dataclass(frozen=True)
class Note:
    """Something that a reader of the figures has to know: how many, and the first of them."""

    text: str
    count: int
    examples: str = ""
    lost: bool = False  # labelled utterances that no figure counts

    def __str__(self) -> str:
        return f"{self.text}: {self.count}" + (f", such as {self.examples}" if self.examples else "")


@dataclass(frozen=True)
class Truth:
    """Labels of the items that are evaluated, in their table's order."""

    ids: Sequence[str]
    emotion: NDArray[np.int64]  # (items,), index in EMOTIONS or NONE
    attributes: NDArray[np.float64]  # (items, 3) on 1..7, NaN where there are none
    votes: NDArray[np.float64]  # (items, 8), 0 where there are none
    speakers: Sequence[str | None]
    cells: Sequence[Mapping[str, str]]
    named: Sequence[str]
    audio: Sequence[Path | None]  # recordings, where the labels' table or corpus knows them

    def groups_of(self, rows: Iterable[int]) -> list[str] | None:
        """What items are drawn by: their speaker, or themselves where that is unknown; None: all are."""
        if not any(self.speakers):
            return None
        return [self.speakers[row] or f"\0{self.ids[row]}" for row in rows]

    def label_map(self) -> dict[str, dict[str, int]]:
        """By emotion, which of the table's own labels it was read from, and how often."""
        found: dict[str, Counter[str]] = {}
        for named, emotion in zip(self.named, self.emotion, strict=True):
            found.setdefault("none" if emotion == NONE else EMOTIONS[emotion], Counter())[named] += 1
        return {name: dict(counts.most_common()) for name, counts in found.items()}


@dataclass(frozen=True)
class System:
    """One system's predictions, row by row beside a `Truth`."""

    name: str
    emotion: NDArray[np.int64]  # (items,), NONE where there is no prediction
    scores: NDArray[np.float64]  # (items, 8), NaN where there are none
    attributes: NDArray[np.float64]  # (items, 3), NaN where there are none or they are derived from scores
    cells: Sequence[Mapping[str, Any]]
    rows: Sequence[Row | None]
    notes: Sequence[Note] = field(default=())

    def named(self, name: str) -> "System":
        """The same predictions under another name."""
        return replace(self, name=name)


def make_truth(labels: Iterable[Label]) -> Truth:
    """Labels as arrays."""
    items = list({label.id: label for label in labels}.values())
    return Truth(
        ids=[label.id for label in items],
        emotion=np.array([EMOTIONS.index(i.emotion) if i.emotion else NONE for i in items], dtype=np.int64),
        attributes=np.array([_numbers(item.attributes) for item in items]).reshape(-1, len(ATTRIBUTES)),
        votes=np.array([[(i.votes or {}).get(e, 0.0) for e in EMOTIONS] for i in items]).reshape(
            -1, len(EMOTIONS)
        ),
        speakers=[label.speaker for label in items],
        cells=[label.cells for label in items],
        named=[label.named for label in items],
        audio=[label.audio for label in items],
    )


def align(table: Predictions, labels: Mapping[str, Label], truth: Truth, *, verdicts: bool = True) -> System:
    """A table's predictions in the order of the labels.

    Args:
        table: of any recogniser, perhaps with a judge's verdicts.
        labels: by id and by other names of the same utterance.
        truth: of the same labels.
        verdicts: take a judge's emotion, scores and attributes where a row has them.

    Raises:
        PredictionsError: no id that both have, an utterance twice, or attributes on another scale.
    """
    position = {name: index for index, name in enumerate(truth.ids)}
    rows: list[Row | None] = [None] * len(truth.ids)
    strange, failed, twice, all_ids = [], [], [], []
    for row in table:
        label = label_of(labels, row.id)
        all_ids.append(row.id)
        if label is None and (base := row.id.removesuffix(f"#{row.line}")) != row.id:
            label = label_of(labels, base)  # an id that was there before got its line's number
        if label is None:
            strange.append(row.id)
        elif rows[position[label.id]] is not None:
            twice.append(row.id)
        else:
            rows[position[label.id]] = row
            if row.error is not None:
                failed.append(f"{row.id} ({row.error})")
    _refuse(table, rows, all_ids, twice, failed, list(truth.ids))
    missing = [name for name, row in zip(truth.ids, rows, strict=True) if row is None]
    notes = [
        Note("predictions without a label, left out", len(strange), some(strange)),
        Note("labelled utterances without a row", len(missing), some(missing), lost=True),
        Note("rows without a prediction", len(failed), some(failed), lost=True),
    ]
    return _arrays(table.path.name, rows, verdicts, [note for note in notes if note.count])


def _refuse(
    table: Predictions,
    rows: Sequence[Row | None],
    all_ids: list[str],
    twice: list[str],
    failed: list[str],
    wanted: list[str],
) -> None:
    found = [row for row in rows if row is not None]
    if not found:
        raise PredictionsError(
            table.path,
            found=f"{len(all_ids)} ids, none of them among the labels: {some(all_ids)}",
            expected=f"ids such as {some(wanted)}",
            advice="Map the column of ids: --columns id=NAME, --truth-columns id=NAME.",
        )
    if twice:
        raise PredictionsError(
            table.path,
            found=f"{len(twice)} rows about an utterance that was there before: {some(twice)}",
            expected="one prediction for each",
        )
    faults = [row for row in found if row.error and any(f"{name}: " in row.error for name in ATTRIBUTES)]
    if failed and len(faults) == len(found):
        raise PredictionsError(
            table.path,
            found=f"{len(faults)} rows with attributes outside 1..7, the first: {faults[0].error}",
            expected="valence, arousal and dominance on 1..7",
            advice="Say their scale: --scale 0..1.",
        )


def _arrays(name: str, rows: Sequence[Row | None], verdicts: bool, notes: Sequence[Note]) -> System:
    size = len(rows)
    emotion = np.full(size, NONE, dtype=np.int64)
    scores = np.full((size, len(EMOTIONS)), np.nan)
    attributes = np.full((size, len(ATTRIBUTES)), np.nan)
    cells: list[Mapping[str, Any]] = []
    for index, row in enumerate(rows):
        cells.append(row.cells if row else {})
        if row is not None and row.attributes is not None:
            attributes[index] = _numbers(row.attributes)
        if row is None or row.prediction is None:
            continue
        p = row.prediction
        emotion[index] = EMOTIONS.index(p.emotion)
        if row.has_scores:
            scores[index] = [p.scores[e] for e in EMOTIONS]  # float64: `scores_in_order` is float32
        ours = isinstance(row.cells.get("scores"), dict)  # then derived ones are the system's own answer
        if ours or "derived" not in p.attributes_from.values():
            attributes[index] = _numbers(p.attributes)
        if verdicts:
            _judged(index, row, p, emotion, scores)
    return System(name, emotion, scores, attributes, cells, rows, notes)


def _judged(
    index: int, row: Row, prediction: Prediction, emotion: NDArray[np.int64], scores: NDArray[np.float64]
) -> None:
    """Take a judge's emotion and scores into the arrays."""
    verdict = prediction.verdict
    if verdict is not None:
        emotion[index] = EMOTIONS.index(verdict.emotion)
        scores[index] = [verdict.scores[e] for e in EMOTIONS]
        return
    nested = row.cells.get("verdict")
    cells: Mapping[str, Any] = nested if isinstance(nested, dict) else {}
    named = parse_emotion(str(cells.get("emotion") or row.cells.get("verdict_emotion") or ""))
    if named is None:
        return
    emotion[index] = EMOTIONS.index(named)
    told = cells.get("scores") or {e: row.cells.get(f"verdict_score_{e}") for e in EMOTIONS}
    try:
        scores[index] = [float(told[e]) for e in EMOTIONS]
    except (TypeError, ValueError, KeyError):
        scores[index] = np.nan


def has_verdicts(system: System) -> bool:
    """Whether a judge's verdicts stand in the table."""
    return any(
        row is not None
        and (
            row.cells.get("verdict")
            or row.cells.get("verdict_emotion")
            or (row.prediction and row.prediction.verdict)
        )
        for row in system.rows
    )


def _numbers(attributes: Attributes | None) -> list[float]:
    if attributes is None:
        return [float("nan")] * len(ATTRIBUTES)
    return [getattr(attributes, name) for name in ATTRIBUTES]
