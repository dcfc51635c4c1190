"""The gate: which predictions are worth a question. What it keeps back is passed through unchanged."""

from collections.abc import Sequence
from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from emojudge.emotions import EMOTIONS, scores_in_order
from emojudge.errors import JudgeError
from emojudge.records import Evidence, Record

Kind = Literal["all", "conflict", "margin", "entropy", "budget"]
_DEFAULTS: dict[str, float] = {"margin": 0.2, "entropy": 0.6, "budget": 0.1}


class Gate(Record):
    """Which predictions are sent to the language model.

    - `all`: every one, as in the paper.
    - `conflict`: where voice and words, each alone, name different emotions.
    - `margin`: where the two highest scores are less than `value` apart; `uncertain` is another name for it.
    - `entropy`: where the entropy of the scores, as a share of the largest possible, is over `value`.
    - `budget`: the share `value` of them in which a mistake is likeliest (see `risks`). Over one prediction
      at a time a share means nothing; tuning writes the risk at which it begins into `cut`.
    """

    kind: Kind = "all"
    value: float | None = Field(default=None, ge=0, le=1)
    cut: float | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.kind in _DEFAULTS) != (self.value is not None):
            raise ValueError(f"a value for {', '.join(_DEFAULTS)} and for no other gate")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """A gate from the command line: `all`, `conflict`, `uncertain`, `margin:0.3`, `budget:10%` ...

        Raises:
            JudgeError: another word, or a value that is none.

        >>> Gate.parse("budget:10%").value, Gate.parse("uncertain").value, str(Gate.parse("margin:0.3"))
        (0.1, 0.2, 'margin:0.3')
        """
        name, _, given = text.strip().partition(":")
        kind = "margin" if name == "uncertain" else name
        try:
            if kind not in get_args(Kind) or (given and kind not in _DEFAULTS):
                raise ValueError
            number = float(given.removesuffix("%")) / (100 if given.endswith("%") else 1) if given else None
            return cls.model_validate(
                {"kind": kind, "value": _DEFAULTS.get(kind) if number is None else number}
            )
        except ValueError as error:
            raise JudgeError(
                f"gate {text!r}",
                found="no gate",
                expected="all, conflict, uncertain[:MARGIN], entropy[:SHARE] or budget[:SHARE], from 0 to 1",
            ) from error

    def __str__(self) -> str:
        return self.kind if self.value is None else f"{self.kind}:{self.value:g}"

    @property
    def needs_all(self) -> bool:
        """Whether it has to see all predictions before it can let one through."""
        return self.kind == "budget" and self.cut is None

    def sends(self, scores: NDArray[np.floating], conflicts: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which items are sent, `(items,)`, by their scores `(items, emotions)` and whether they conflict."""
        match self.kind:
            case "all":
                return np.ones(len(scores), dtype=bool)
            case "conflict":
                return conflicts
            case "margin":
                return _margins(scores) < self._limit
            case "entropy":
                return _entropies(scores) > self._limit
            case "budget":
                risk = risks(scores, conflicts)
                if self.cut is not None:
                    return risk >= self.cut
                sent = np.zeros(len(risk), dtype=bool)
                sent[np.argsort(-risk, kind="stable")[: round(self._limit * len(risk))]] = True
                return sent

    def tuned(self, scores: NDArray[np.floating], conflicts: NDArray[np.bool_]) -> Self:
        """The same gate, with the risk at which its share of these items begins."""
        if self.kind != "budget" or not len(scores):
            return self
        return self.model_copy(update={"cut": float(np.quantile(risks(scores, conflicts), 1 - self._limit))})

    def mask(self, evidences: Sequence[Evidence]) -> NDArray[np.bool_]:
        """Which of these utterances are sent, `(items,)`."""
        if not evidences:
            return np.zeros(0, dtype=bool)
        scores = np.stack([scores_of(evidence) for evidence in evidences])
        return self.sends(scores, np.array([bool(evidence.conflict) for evidence in evidences]))

    def reason(self, evidence: Evidence) -> str:
        """Why this utterance was not sent."""
        if self.kind == "conflict":
            if evidence.conflict is None:
                return "not sent: only one of voice and words is there, so that they cannot conflict"
            return "not sent: voice and words agree"
        if self.kind == "budget":
            return f"not sent: not among the {self._limit:.0%} in which a mistake is likeliest"
        what, word = ("margin", "over") if self.kind == "margin" else ("entropy", "under")
        return f"not sent: the scores' {what} is {word} {self._limit:g}"

    @property
    def _limit(self) -> float:
        return self.value or 0.0


def scores_of(evidence: Evidence) -> NDArray[np.float32]:
    """The recogniser's scores `(emotions,)` in the standard order; labels that it does not know have 0."""
    if len(evidence.scores) == len(EMOTIONS):
        return scores_in_order(evidence.scores)
    return np.array([evidence.scores.get(emotion, 0.0) for emotion in EMOTIONS], dtype=np.float32)


def risks(scores: NDArray[np.floating], conflicts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How likely a mistake is, `(items,)`: what the winner leaves to the others; conflicts count for more.

    With calibrated scores, 1 minus the largest is the probability that the label is wrong.
    """
    return np.asarray(1.0 - np.asarray(scores, dtype=np.float64).max(axis=1) + 0.5 * conflicts)


def _margins(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    top = np.sort(scores, axis=1)[:, -2:]
    return np.asarray(top[:, 1] - top[:, 0])


def _entropies(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    p = np.asarray(scores, dtype=np.float64)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(-(p * logs).sum(axis=1) / np.log(len(EMOTIONS)))
