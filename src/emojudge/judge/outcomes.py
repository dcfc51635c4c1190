"""Readings of many utterances as arrays, and what decisions would make of them: what tuning computes on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import ATTRIBUTES, EMOTIONS, Emotion
from emojudge.evaluation.figures import Figure, macro_f1, mean_ccc
from emojudge.judge.answer import Reading
from emojudge.judge.decision import TOLD, Calibration, Decision, Source, distribution_of, spread
from emojudge.judge.fitting import KINDS, fit_calibration
from emojudge.judge.gate import scores_of
from emojudge.judge.steps import EVEN, STEPS, Scales
from emojudge.records import Attributes, Evidence

Rows = NDArray[np.int64]  # indices of items
THRESHOLDS = tuple(float(t) for t in np.round(np.arange(0.2, 0.96, 0.05), 2))
WEIGHTS = (0.1, 0.2, 0.3, 0.5, 0.7)
SHRINKAGES = (0.25, 0.5, 0.75, 1.0)  # how far attributes move towards the answered step
FEW = 30  # answers that differ from the recogniser's, under which all answers calibrate


class Outcomes(Protocol):
    """Of one model with one prompt: what each decision would give for the utterances."""

    @property
    def readings(self) -> Sequence[Reading]:
        """What was answered, an item each."""

    @property
    def before(self) -> NDArray[Any]:
        """The recogniser's, `(items, ...)`."""

    @property
    def truth(self) -> NDArray[Any]:
        """The labels, `(items, ...)`."""

    def decisions(self) -> list[Decision]:
        """What is tried, without calibrations."""

    def fitted(self, decision: Decision, rows: Rows) -> Decision:
        """A decision whose calibration and prior are fitted on these items."""

    def after(self, decision: Decision, rows: Rows) -> NDArray[Any]:
        """What a fitted decision makes of these items, `(rows, ...)`."""

    @property
    def figure(self) -> Figure:
        """What is to grow."""


@dataclass(frozen=True)
class Emotions:
    """Outcomes for emotions; the figure is macro-F1 over the labels of the task."""

    evidences: Sequence[Evidence]
    labels: Sequence[Emotion]  # the true ones
    readings: Sequence[Reading]
    source: Source
    classes: tuple[Emotion, ...] = EMOTIONS
    told: bool = False

    @cached_property
    def truth(self) -> Rows:
        return np.array([EMOTIONS.index(label) for label in self.labels])

    @cached_property
    def before(self) -> Rows:
        return np.array([EMOTIONS.index(evidence.emotion) for evidence in self.evidences])

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        return np.stack([scores_of(evidence) for evidence in self.evidences]).astype(np.float64)

    @cached_property
    def raw(self) -> NDArray[np.float64]:
        """Confidences as they came; -1 where there is none."""
        return _raw(self.readings, self.source, self.told)

    @cached_property
    def own(self) -> NDArray[np.float64]:
        """The answers' own distributions, `(items, emotions)`; NaN where there is none."""
        none = np.full(len(EMOTIONS), np.nan)
        return np.stack([none if r.distribution is None else distribution_of(r) for r in self.readings])

    @cached_property
    def answered(self) -> Rows:
        """Indices of the answered emotions, -1 for NA and faults."""
        return np.array([-1 if r.emotion is None else EMOTIONS.index(r.emotion) for r in self.readings])

    @cached_property
    def _fits(self) -> dict[tuple[str, bool, bytes], Calibration]:
        return {}  # a calibration does not depend on the threshold that it is tried with

    def weighed(
        self, decision: Decision, rows: Rows
    ) -> tuple[Rows, NDArray[np.float64], NDArray[np.float64]]:
        """Answered emotions, confidences as they came, and distributions, after the prior is divided out."""
        proposed, raw, own = self.answered[rows], self.raw[rows], self.own[rows]
        if decision.prior is None:
            return proposed, raw, own
        own = decision.corrected(own)
        known = ~np.isnan(own).any(axis=1) & (proposed >= 0)
        best = np.where(known, np.where(known[:, None], own, 0.0).argmax(axis=1), proposed)
        return best, np.where(known, own[np.arange(len(own)), np.maximum(best, 0)], raw), own

    def decisions(self) -> list[Decision]:
        tried = [
            Decision(threshold=threshold, confidence=self.source, calibration=kind)
            for kind in KINDS
            for threshold in THRESHOLDS
        ]
        tried += [Decision(kind="mix", weight=weight, confidence=self.source) for weight in WEIGHTS]
        if self.source == "likelihood":
            even = dict.fromkeys(EMOTIONS, 1.0)
            tried += [d.model_copy(update={"prior": even}) for d in tried if d.calibration is None]
        return tried

    def fitted(self, decision: Decision, rows: Rows) -> Decision:
        if decision.prior is not None:
            with np.errstate(invalid="ignore"):
                known = self.own[rows][~np.isnan(self.own[rows]).any(axis=1)]
            mean = known.mean(axis=0) if len(known) else np.full(len(EMOTIONS), 1 / len(EMOTIONS))
            prior = dict(zip(EMOTIONS, map(float, mean), strict=True))
            decision = decision.model_copy(update={"prior": prior})
        if decision.calibration is None:
            return decision
        key = (decision.calibration.kind, decision.prior is not None, rows.tobytes())
        if key not in self._fits:
            proposed, raw, _ = self.weighed(decision, rows)
            answered = (proposed >= 0) & (raw >= 0)
            differing = answered & (proposed != self.before[rows])
            used = differing if differing.sum() >= FEW else answered
            right = (proposed == self.truth[rows])[used]
            self._fits[key] = fit_calibration(decision.calibration.kind, raw[used], right)
        return decision.model_copy(update={"calibration": self._fits[key]})

    def after(self, decision: Decision, rows: Rows) -> Rows:
        proposed, raw, own = self.weighed(decision, rows)
        sure = np.where(raw >= 0, raw if decision.calibration is None else decision.calibration(raw), 0.0)
        told = np.where(np.isnan(own), spread(proposed, sure), own)
        return decision.apply(self.scores[rows], self.before[rows], proposed, sure, told)[0]

    @cached_property
    def figure(self) -> Figure:
        return macro_f1(len(EMOTIONS), [EMOTIONS.index(label) for label in self.classes])


@dataclass(frozen=True)
class Ratings:
    """Outcomes for attributes; the figure is the mean CCC of the three."""

    evidences: Sequence[Evidence]
    labels: Sequence[Attributes]
    readings: Sequence[Reading]
    source: Source
    scales: Scales = EVEN

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        return _figures(self.labels)

    @cached_property
    def before(self) -> NDArray[np.float64]:
        return _figures(
            [
                evidence.attributes or Attributes(valence=4, arousal=4, dominance=4)
                for evidence in self.evidences
            ]
        )

    @cached_property
    def raw(self) -> NDArray[np.float64]:
        return _raw(self.readings, self.source, False)

    @cached_property
    def moved(self) -> NDArray[np.float64]:
        """Where the answered steps lead, all the way, `(items, attributes)`."""
        rows = []
        for evidence, reading in zip(self.evidences, self.readings, strict=True):
            start = evidence.attributes or Attributes(valence=4, arousal=4, dominance=4)
            rows.append(self.scales.moved(start, dict(reading.words or {}), 1.0))
        return _figures(rows)

    def decisions(self) -> list[Decision]:
        return [
            Decision(threshold=threshold, weight=weight, confidence=self.source, calibration=kind)
            for kind in KINDS
            for threshold in THRESHOLDS
            for weight in SHRINKAGES
        ]

    def fitted(self, decision: Decision, rows: Rows) -> Decision:
        if decision.calibration is None:
            return decision
        key = (decision.calibration.kind, rows.tobytes())
        if key not in self._fits:
            moves = (self.moved[rows] != self.before[rows]).any(axis=1) & (self.raw[rows] >= 0)
            error_before = np.abs(self.before[rows] - self.truth[rows]).mean(axis=1)
            error_after = np.abs(self.moved[rows] - self.truth[rows]).mean(axis=1)
            nearer = (error_after < error_before)[moves]
            self._fits[key] = fit_calibration(decision.calibration.kind, self.raw[rows][moves], nearer)
        return decision.model_copy(update={"calibration": self._fits[key]})

    @cached_property
    def _fits(self) -> dict[tuple[str, bytes], Calibration]:
        return {}

    def after(self, decision: Decision, rows: Rows) -> NDArray[np.float64]:
        raw = self.raw[rows]
        sure = np.where(raw >= 0, raw if decision.calibration is None else decision.calibration(raw), 0.0)
        before = self.before[rows]
        moved = before + decision.weight * (self.moved[rows] - before)
        return np.where((sure >= decision.threshold)[:, None], moved, before)

    @property
    def figure(self) -> Figure:
        return mean_ccc(len(ATTRIBUTES))


def step_counts(ratings: Ratings) -> dict[str, int]:
    """How often each step was answered, over the three attributes, and NA."""
    words = [word for reading in ratings.readings for word in (reading.words or {}).values()]
    return {step: words.count(step) for step in STEPS} | {"NA": words.count(None)}


def _raw(readings: Sequence[Reading], source: Source, told: bool) -> NDArray[np.float64]:
    missing = TOLD if told else -1.0
    found = [getattr(reading, source) for reading in readings]
    return np.array([missing if value is None else value for value in found], dtype=np.float64)


def _figures(attributes: Sequence[Attributes]) -> NDArray[np.float64]:
    return np.array([[getattr(item, name) for name in ATTRIBUTES] for item in attributes], dtype=np.float64)
