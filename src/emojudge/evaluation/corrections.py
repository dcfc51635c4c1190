"""What a judge did to predictions, item by item: for its curves, and for the cases that are worth a look."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import EMOTIONS, parse_emotion
from emojudge.evaluation.aligned import NONE, System, Truth
from emojudge.evaluation.metrics import confusion, f1_of


@dataclass(frozen=True)
class Corrections:
    """The labelled items that a judge was asked about, as arrays `(items,)` of indices in EMOTIONS."""

    rows: NDArray[np.int64]  # in the truth's order
    truth: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    proposed: NDArray[np.int64]  # NONE where the judge abstained or was not asked
    confidence: NDArray[np.float64]  # NaN where there is none
    reasons: list[str]

    @property
    def changed(self) -> NDArray[np.bool_]:
        return np.asarray(self.before != self.after)


@dataclass(frozen=True)
class Case:
    """An item to look at and to listen to."""

    id: str
    kind: str  # such as "wrong → right"
    truth: str
    before: str
    after: str
    confidence: float | None
    reason: str
    transcript: str
    audio: Path | None


def corrections(truth: Truth, system: System) -> Corrections | None:
    """A system's verdicts; None where it has none."""
    found: list[tuple[int, int, int, int, int, float, str]] = []
    for index, row in enumerate(system.rows):
        if row is None or row.prediction is None or truth.emotion[index] == NONE:
            continue
        verdict = _verdict(row.cells, row.prediction)
        after = _index(verdict.get("emotion"))
        if after == NONE:
            continue
        before = EMOTIONS.index(row.prediction.emotion)
        sure = _number(verdict.get("confidence"))
        proposed, reason = _index(verdict.get("proposed")), str(verdict.get("reason") or "")
        found.append((index, int(truth.emotion[index]), before, after, proposed, sure, reason))
    if not found:
        return None
    columns = list(zip(*found, strict=True))
    rows, labels, before_, after_, proposed_ = (np.array(column, dtype=np.int64) for column in columns[:5])
    return Corrections(
        rows, labels, before_, after_, proposed_, np.array(columns[5], dtype=np.float64), list(columns[6])
    )


def risk_coverage(found: Corrections) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of answers that are taken, the surest first, and the share of wrong ones among them.

    Answers that are equally sure are taken together: there is no order among them.

    Source: El-Yaniv & Wiener 2010, "On the foundations of noise-free selective classification".
    """
    rows = np.flatnonzero((found.proposed != NONE) & ~np.isnan(found.confidence))
    order = rows[np.argsort(-found.confidence[rows], kind="stable")]
    wrong = found.proposed[order] != found.truth[order]
    count = np.arange(1, len(order) + 1)
    last = np.flatnonzero(np.diff(found.confidence[order], append=np.inf) != 0)
    return (count / max(1, len(order)))[last], (np.cumsum(wrong) / count)[last]


def gain_by_threshold(found: Corrections) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds of confidence, and the gain in macro-F1 if every surer proposal were taken."""
    thresholds = np.round(np.arange(0.0, 1.0001, 0.05), 2)
    classes = sorted(set(found.truth.tolist()))

    def macro(predicted: NDArray[np.int64]) -> float:
        return float(f1_of(confusion(found.truth, predicted, len(EMOTIONS)))[classes].mean())

    sure = np.nan_to_num(found.confidence, nan=-1.0)
    gains = [
        macro(np.where((found.proposed != NONE) & (sure >= t), found.proposed, found.before))
        - macro(found.before)
        for t in thresholds
    ]
    return thresholds, np.array(gains)


def instructive(truth: Truth, system: System, found: Corrections, most: int = 20) -> list[Case]:
    """The cases to look at, the surest first: wrong and right corrections, and right answers not taken."""
    right_before, right_after = found.before == found.truth, found.after == found.truth
    kinds = {
        "right → wrong": found.changed & right_before,
        "wrong → right": found.changed & right_after,
        "wrong → wrong": found.changed & ~right_before & ~right_after,
        "kept, though the answer was right": ~found.changed & ~right_before & (found.proposed == found.truth),
    }
    sure = np.nan_to_num(found.confidence, nan=0.0)
    cases: list[Case] = []
    for kind, inside in kinds.items():
        rows = np.flatnonzero(inside)
        surest = rows[np.argsort(-sure[rows], kind="stable")][: -(-most // len(kinds))]
        cases += [_case(truth, system, found, int(i), kind) for i in surest]
    return cases[:most]


def _case(truth: Truth, system: System, found: Corrections, i: int, kind: str) -> Case:
    row = system.rows[found.rows[i]]
    prediction = row.prediction if row else None
    text = prediction.transcript.text if prediction and prediction.transcript else ""
    audio = truth.audio[found.rows[i]] or (row.utterance.audio if row and row.utterance else None)
    sure = None if np.isnan(found.confidence[i]) else float(found.confidence[i])
    labelled, before, after = (EMOTIONS[column[i]] for column in (found.truth, found.before, found.after))
    name = truth.ids[found.rows[i]]
    return Case(name, kind, labelled, before, after, sure, found.reasons[i], text, audio)


def _verdict(cells: Mapping[str, Any], prediction: Any) -> Mapping[str, Any]:
    if prediction.verdict is not None:
        told: Mapping[str, Any] = prediction.verdict.model_dump()
        return told
    nested = cells.get("verdict")
    if isinstance(nested, dict):
        return nested
    return {
        name.removeprefix("verdict_"): value for name, value in cells.items() if name.startswith("verdict_")
    }


def _index(value: Any) -> int:
    emotion = parse_emotion(str(value or ""))
    return NONE if emotion is None else EMOTIONS.index(emotion)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
