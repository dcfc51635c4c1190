"""A single test with its threshold, and the predictions that tests look at."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import ATTRIBUTES, EMOTIONS, SCALE_MAX, SCALE_MIN
from emojudge.evaluation.metrics import confusion, precision_of, recall_of
from emojudge.records import Failure, Prediction, Utterance

Group = Literal["correctness", "fairness", "robustness"]
Predict = Callable[[Iterable[Utterance]], Iterator[Prediction | Failure]]


@dataclass(frozen=True)
class Check:
    """A single test: a figure that has to be on the right side of a threshold."""

    group: Group
    test: str  # such as "background noise"
    name: str  # such as "babble, 20 dB: change of UAR"
    data: str  # the corpus
    value: float
    threshold: float
    kind: Literal["at least", "at most", "within"]  # within: the absolute value is at most
    items: int
    published: bool = True  # the threshold is the publication's; else ours

    @property
    def passed(self) -> bool:
        """Rounded to two digits before it is compared, as the publication does it."""
        value = round(self.value, 2) + 0.0
        match self.kind:
            case "at least":
                return value >= self.threshold
            case "at most":
                return value <= self.threshold
            case "within":
                return abs(value) <= self.threshold


@dataclass(frozen=True)
class Skip:
    """A test that could not be run, and why."""

    group: Group
    test: str
    data: str
    why: str


@dataclass(frozen=True)
class Heard:
    """What the recogniser made of recordings, as arrays; rows that it failed on are NaN."""

    scores: NDArray[np.float64]  # (items, 8)
    attributes: NDArray[np.float64]  # (items, 3) on 0..1, the publication's scale
    failed: Sequence[str] = ()

    def emotions(self, classes: Sequence[int]) -> NDArray[np.int64]:
        """The most likely of these classes for each item, an index in EMOTIONS; -1 where there is none."""
        known = ~np.isnan(self.scores).any(axis=1)
        best = np.asarray(classes)[np.nan_to_num(self.scores)[:, classes].argmax(axis=1)]
        return np.where(known, best, -1)

    def rows(self, index: NDArray[np.int64]) -> "Heard":
        """The same of some items."""
        return Heard(self.scores[index], self.attributes[index])


def hear(
    predict: Predict, utterances: Sequence[Utterance], done: Callable[[int], None] = lambda n: None
) -> Heard:
    """Predictions of utterances as arrays."""
    scores = np.full((len(utterances), len(EMOTIONS)), np.nan)
    attributes = np.full((len(utterances), len(ATTRIBUTES)), np.nan)
    failed = []
    for index, result in enumerate(predict(utterances)):
        done(1)
        if isinstance(result, Failure):
            failed.append(result.error)
            continue
        scores[index] = [result.scores[emotion] for emotion in EMOTIONS]
        rated = [getattr(result.attributes, name) for name in ATTRIBUTES]
        attributes[index] = (np.array(rated) - SCALE_MIN) / (SCALE_MAX - SCALE_MIN)
    return Heard(scores, attributes, failed)


def uar_and_uap(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[int]
) -> tuple[float, float]:
    """Unweighted average recall and precision over the classes, items without a prediction wrong."""
    counts = counted(truth, predicted)
    return float(recall_of(counts)[list(classes)].mean()), float(precision_of(counts)[list(classes)].mean())


def counted(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The confusion `(9, 9)`, whose last column has the items without a prediction."""
    return confusion(truth, np.where(predicted < 0, len(EMOTIONS), predicted), len(EMOTIONS) + 1)
