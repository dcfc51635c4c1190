"""The decision: what an answer changes. Plain numbers throughout: a tuned one is a few lines of JSON."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from emojudge.emotions import EMOTIONS, Emotion, scores_by_name
from emojudge.judge.answer import Reading
from emojudge.judge.gate import scores_of
from emojudge.judge.steps import EVEN, Scales
from emojudge.records import Evidence, Record, Verdict

Source = Literal["stated", "likelihood", "agreement"]
FLOOR = 1e-4  # no score is so sure that a product with it is the end of the matter
TOLD = 0.99  # confidence of a label without a number, from a prompt that asks for NA under the threshold


class Calibration(Record):
    """From a confidence as it came to the share of such answers that are right, as found on held-out labels.

    `isotonic`: linear between the points (`xs` ascending, `ys` not descending) and flat beyond them.
    `platt`: 1 / (1 + exp(-(slope · logit(confidence) + intercept))). Source: Platt 1999.
    """

    kind: Literal["isotonic", "platt"]
    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()
    slope: float = 1.0
    intercept: float = 0.0

    def __call__(self, confidence: NDArray[np.floating]) -> NDArray[np.float64]:
        """Calibrated confidences, of any shape.

        >>> Calibration(kind="isotonic", xs=(0.5, 1.0), ys=(0.2, 0.6))(np.array([0.0, 0.75, 1.0])).tolist()
        [0.2, 0.4, 0.6]
        """
        values = np.asarray(confidence, dtype=np.float64)
        if self.kind == "isotonic":
            return np.asarray(np.interp(values, self.xs, self.ys))
        return 1 / (1 + np.exp(-(self.slope * logit(values) + self.intercept)))


class Decision(Record):
    """How an answer is weighed.

    - `override`: another label counts if its confidence is at least `threshold` (the paper, section 2.4).
    - `mix`: scores · (1 - weight) and the answer's distribution · weight, as logarithms; the largest wins.

    `confidence` says which figure of the answer is meant; `calibration` makes it the share of such answers
    that are right; `prior` is what the model answers on average, and is divided out of its distribution
    (batch calibration: Zhou et al. 2023).
    """

    kind: Literal["override", "mix"] = "override"
    threshold: float = Field(default=0.8, ge=0, le=1)
    weight: float = Field(default=0.3, ge=0, le=1)  # of mix; for attributes, how far they move
    confidence: Source = "stated"
    calibration: Calibration | None = None
    prior: dict[Emotion, float] | None = None

    def confidence_of(self, reading: Reading) -> float | None:
        """The calibrated confidence in an answer; None where the answer has none."""
        raw = getattr(reading, self.confidence)
        if raw is None or self.calibration is None:
            return None if raw is None else float(raw)
        return float(self.calibration(np.array(raw)))

    def apply(
        self,
        scores: NDArray[np.floating],
        before: NDArray[np.int64],
        proposed: NDArray[np.int64],
        confidence: NDArray[np.floating],
        distribution: NDArray[np.floating] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Labels `(items,)` and scores `(items, emotions)` after the judge.

        Args:
            scores: the recogniser's `(items, emotions)`.
            before: indices of its emotions `(items,)`, the largest of the scores.
            proposed: indices of the answered emotions `(items,)`, -1 for NA.
            confidence: `(items,)`, calibrated; 0 where there is none.
            distribution: the answer's, `(items, emotions)`, needed by `mix` alone; see `spread` and
                `Decision.corrected`.
        """
        if self.kind == "mix" and distribution is not None:
            mixed = np.exp(
                (1 - self.weight) * np.log(np.maximum(scores, FLOOR))
                + self.weight * np.log(np.maximum(distribution, FLOOR))
            )
            after = np.where((proposed >= 0)[:, None], mixed, scores)
            after = after / after.sum(axis=1, keepdims=True)
            rows = np.arange(len(after))
            return np.where(after[rows, before] >= after.max(axis=1), before, after.argmax(axis=1)), after
        changes = (proposed >= 0) & (proposed != before) & (confidence >= self.threshold)
        if not changes.any():
            return before, np.asarray(scores, dtype=np.float64)
        labels = np.where(changes, proposed, before)
        return labels, np.where(changes[:, None], _given(scores, labels, confidence), scores)

    def corrected(self, distribution: NDArray[np.floating]) -> NDArray[np.float64]:
        """Distributions `(items, emotions)` without what the model answers on average."""
        if self.prior is None:
            return np.asarray(distribution, dtype=np.float64)
        prior = np.array([self.prior.get(emotion, 1.0) for emotion in EMOTIONS])
        weighed = np.asarray(distribution, dtype=np.float64) / np.maximum(prior, FLOOR)
        return np.asarray(weighed / np.maximum(weighed.sum(axis=1, keepdims=True), FLOOR))

    def evidence_free(self, reading: Reading) -> Reading:
        """A reading whose label is the likeliest after `corrected`; other readings as they are."""
        if self.prior is None or reading.distribution is None or reading.likelihood is None:
            return reading
        shares = self.corrected(distribution_of(reading)[None])[0]
        best = int(shares.argmax())
        return Reading(
            emotion=EMOTIONS[best], likelihood=float(shares[best]), distribution=scores_by_name(shares)
        )


def decide(
    evidence: Evidence, reading: Reading, decision: Decision, scales: Scales = EVEN, told: bool = False
) -> Verdict:
    """The verdict on one utterance. `told`: the prompt asks for NA under the threshold, and for no number."""
    if reading.fault is not None:
        return keep(evidence, "failed", reading.fault)
    if reading.words is not None:
        return _decide_attributes(evidence, reading, decision, scales)
    reading = decision.evidence_free(reading)
    confidence = decision.confidence_of(reading)
    known = TOLD if told and confidence is None else confidence
    if reading.emotion is None:
        return keep(evidence, "abstained", f"NA{': ' + reading.reason if reading.reason else ''}", confidence)
    index = EMOTIONS.index(reading.emotion)
    scores = _with_winner(scores_of(evidence), evidence.emotion)
    labels, after = decision.apply(
        scores[None],
        np.array([EMOTIONS.index(evidence.emotion)]),
        np.array([index]),
        np.array([known or 0.0]),
        distribution_of(reading, known)[None] if decision.kind == "mix" else None,
    )
    emotion = EMOTIONS[int(labels[0])]
    if emotion != evidence.emotion:
        status, reason = "changed", reading.reason
    elif reading.emotion == evidence.emotion:
        status, reason = "confirmed", reading.reason
    else:
        status, reason = "abstained", _too_little(reading, decision, confidence)
    return Verdict(
        id=evidence.id,
        emotion=emotion,
        before=evidence.emotion,
        scores=scores_by_name(after[0]) if status == "changed" or decision.kind == "mix" else evidence.scores,
        changed=emotion != evidence.emotion,
        status=status,
        proposed=reading.emotion,
        confidence=confidence,
        reason=reason,
    )


def keep(
    evidence: Evidence,
    status: Literal["passed", "abstained", "failed"],
    reason: str,
    confidence: float | None = None,
    proposed: Emotion | None = None,
) -> Verdict:
    """A verdict that leaves everything as the recogniser had it."""
    return Verdict(
        id=evidence.id,
        emotion=evidence.emotion,
        before=evidence.emotion,
        scores=evidence.scores,
        changed=False,
        status=status,
        proposed=proposed,
        confidence=confidence,
        reason=reason,
    )


def _decide_attributes(evidence: Evidence, reading: Reading, decision: Decision, scales: Scales) -> Verdict:
    confidence = decision.confidence_of(reading)
    words = reading.words or {}
    if evidence.attributes is None:
        return keep(evidence, "failed", "no attributes to judge")
    before = scales.words(evidence.attributes)
    differing = {name: word for name, word in words.items() if word is not None and word != before[name]}
    verdict = keep(evidence, "abstained", reading.reason, confidence)
    if not differing:
        if not any(words.values()):
            return verdict.model_copy(update={"reason": f"NA: {reading.reason}".rstrip(": ")})
        return verdict.model_copy(update={"status": "confirmed", "attributes": evidence.attributes})
    asked = ", ".join(f"{name} {before[name]} → {word}" for name, word in differing.items())
    if (confidence or 0.0) < decision.threshold:
        return verdict.model_copy(update={"reason": f"{asked}: {_low(decision, confidence)}"})
    moved = scales.moved(evidence.attributes, dict(differing), decision.weight)
    reason = f"{asked}: {reading.reason}".rstrip(": ")
    return verdict.model_copy(
        update={"status": "changed", "changed": True, "attributes": moved, "reason": reason}
    )


def distribution_of(reading: Reading, confidence: float | None = None) -> NDArray[np.float64]:
    """The answer as a distribution `(emotions,)`: its own, else its confidence on its label, others alike."""
    if reading.distribution is not None:
        return np.array([reading.distribution.get(emotion, 0.0) for emotion in EMOTIONS])
    if reading.emotion is None:
        return np.full(len(EMOTIONS), 1 / len(EMOTIONS))
    index = np.array([EMOTIONS.index(reading.emotion)])
    return np.asarray(spread(index, np.array([confidence or 0.0]))[0])


def spread(proposed: NDArray[np.int64], confidence: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distributions `(items, emotions)`: a label has its confidence, an even share at least."""
    share = np.clip(confidence, 1 / len(EMOTIONS), 1 - FLOOR)[:, None]
    others = (1 - share) / (len(EMOTIONS) - 1)
    return np.asarray(np.where(np.arange(len(EMOTIONS)) == proposed[:, None], share, others))


def logit(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Log-odds of probabilities, 0 and 1 brought within reach."""
    inside = np.clip(np.asarray(values, dtype=np.float64), 1e-3, 1 - 1e-3)
    return np.asarray(np.log(inside / (1 - inside)))


def _given(
    scores: NDArray[np.floating], labels: NDArray[np.int64], confidence: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Scores that give each item's label its confidence, others the rest as they shared it before.

    Where another is still the largest, the two change places: the label is always the largest score.
    """
    p = np.asarray(scores, dtype=np.float64)
    rows = np.arange(len(p))
    share = np.clip(confidence, FLOOR, 1 - FLOOR)
    others = p.copy()
    others[rows, labels] = 0
    total = others.sum(axis=1)
    even = np.where(np.arange(p.shape[1]) == labels[:, None], 0.0, 1 / (p.shape[1] - 1))
    others = np.where(total[:, None] > 0, others / np.where(total > 0, total, 1)[:, None], even)
    given = others * (1 - share)[:, None]
    given[rows, labels] = share
    top = given.argmax(axis=1)
    given[rows, labels], given[rows, top] = given[rows, top].copy(), given[rows, labels].copy()
    return np.asarray(given)


def _with_winner(scores: NDArray[np.floating], emotion: Emotion) -> NDArray[np.float64]:
    """Scores whose largest is the recogniser's label, also where its own scores say otherwise."""
    index = np.array([EMOTIONS.index(emotion)])
    if int(scores.argmax()) == int(index[0]):
        return np.asarray(scores, dtype=np.float64)
    return np.asarray(_given(scores[None], index, scores[index])[0])


def _low(decision: Decision, confidence: float | None) -> str:
    if confidence is None:
        return f"the answer has no confidence, {decision.threshold:.0%} were needed"
    return f"confidence {confidence:.0%} under {decision.threshold:.0%}"


def _too_little(reading: Reading, decision: Decision, confidence: float | None) -> str:
    if decision.kind == "override":
        why = _low(decision, confidence)
    else:
        why = f"with a weight of {decision.weight:g}, the answer does not outweigh the scores"
    return f"proposed {reading.emotion}, {why}{': ' + reading.reason if reading.reason else ''}"
