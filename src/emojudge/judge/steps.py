"""Attributes in five words: what a language model can be asked about, and the way back to figures on 1..7.

EmoJudge names the binning of continuous values as future work; this is ours.
"""

from collections.abc import Iterable
from typing import Self, get_args

import numpy as np
from pydantic import model_validator

from emojudge.emotions import ATTRIBUTES, SCALE_MAX, SCALE_MIN, Attribute
from emojudge.records import Attributes, Bin, Record

STEPS: tuple[Bin, ...] = get_args(Bin)  # from the lowest
QUANTILES = (0.1, 0.25, 0.75, 0.9)  # SpeechCueLLM's five classes


class Scale(Record):
    """The limits between an attribute's five steps and the middle of each, on 1..7."""

    limits: tuple[float, float, float, float] = (2.2, 3.4, 4.6, 5.8)
    middles: tuple[float, float, float, float, float] = (1.6, 2.8, 4.0, 5.2, 6.4)

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if list(self.limits) != sorted(self.limits) or list(self.middles) != sorted(self.middles):
            raise ValueError("limits and middles in ascending order")
        return self

    def step(self, value: float) -> int:
        """The step, 0 to 4, in which a value lies.

        >>> Scale().step(1.0), Scale().step(4.0), Scale().step(7.0)
        (0, 2, 4)
        """
        return int(np.searchsorted(self.limits, value, side="left"))

    def moved(self, value: float, step: int, weight: float) -> float:
        """A value brought towards a step by `weight` (0..1) of the way; one that lies in it stays.

        >>> Scale().moved(4.0, 3, 0.5), Scale().moved(4.3, 2, 0.5)
        (4.6, 4.3)
        """
        if self.step(value) == step:
            return value
        moved = value + weight * (self.middles[step] - value)
        return float(np.clip(moved, SCALE_MIN, SCALE_MAX))


class Scales(Record):
    """The scale of each attribute; without figures of a corpus, five even steps."""

    valence: Scale = Scale()
    arousal: Scale = Scale()
    dominance: Scale = Scale()

    @classmethod
    def of(cls, labels: Iterable[Attributes]) -> Self:
        """Scales by the quantiles of a training split's labels, whose middles are the medians of the steps.

        Labels crowd around the middle of 1..7: five even steps would leave the outer ones empty.
        """
        table = np.array(
            [[getattr(label, name) for name in ATTRIBUTES] for label in labels], dtype=np.float64
        )
        if len(table) < 20:
            return cls()
        return cls(**{name: _scale(table[:, index]) for index, name in enumerate(ATTRIBUTES)})

    def words(self, attributes: Attributes) -> dict[Attribute, Bin]:
        """Each attribute's step in words."""
        return {name: STEPS[getattr(self, name).step(getattr(attributes, name))] for name in ATTRIBUTES}

    def moved(self, attributes: Attributes, words: dict[Attribute, Bin | None], weight: float) -> Attributes:
        """Attributes brought towards the steps that were answered; None, for NA, leaves one as it is."""
        values = attributes.model_dump()
        for name, word in words.items():
            if word is not None:
                values[name] = getattr(self, name).moved(values[name], STEPS.index(word), weight)
        return Attributes(**values)


EVEN = Scales()


def _scale(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Scale:
    limits = np.quantile(values, QUANTILES)
    edges = [SCALE_MIN, *limits, SCALE_MAX]
    steps = np.searchsorted(limits, values, side="left")
    middles = [
        float(np.median(values[steps == i])) if np.any(steps == i) else (edges[i] + edges[i + 1]) / 2
        for i in range(len(STEPS))
    ]
    return Scale(limits=tuple(limits.tolist()), middles=tuple(middles))
