"""Whether scores mean what they say: calibration error, Brier score, the reliability diagram's numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emojudge.evaluation.metrics import pair

BINS = 15


@dataclass(frozen=True)
class Bin:
    """A bin of the reliability diagram."""

    low: float  # confidences above this …
    high: float  # … up to this
    items: int
    confidence: float  # their mean; NaN in an empty bin
    accuracy: float


def expected_calibration_error(truth: ArrayLike, scores: ArrayLike, bins: int = BINS) -> float:
    """ECE: mean over confidence bins of ``|accuracy - confidence|``, weighted by the bins' share of items.

    As torchmetrics' `multiclass_calibration_error(norm="l1")`. It depends on the bins and is biased upwards
    for few items, so read it beside `brier_score`, which has neither fault.

    Args:
        truth: class indices `(items,)`.
        scores: probabilities `(items, classes)`; the confidence is the largest.
        bins: of equal width on (0, 1].

    Source: Guo et al. 2017, "On calibration of modern neural networks", equation 3.

    Raises:
        ValueError: as in every function here, arrays that do not go together.

    >>> expected_calibration_error([0, 0], [[1.0, 0.0], [1.0, 0.0]])
    0.0
    """
    return _error(*confidences(truth, scores), np.linspace(0, 1, bins + 1))


def adaptive_calibration_error(truth: ArrayLike, scores: ArrayLike, bins: int = BINS) -> float:
    """ECE over bins that hold equally many items each, which no empty or crowded bin distorts.

    Source: Nguyen & O'Connor 2015, "Posterior calibration and exploratory analysis for natural language
    processing models", section 3; "adaptive" as in Nixon et al. 2019, on the winner's score.

    >>> adaptive_calibration_error([0, 1], [[0.9, 0.1], [0.9, 0.1]], bins=1)
    0.4
    """
    confidence, right = confidences(truth, scores)
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [abs(float(np.sum(right[part]) - np.sum(confidence[part]))) for part in parts]
    return float(sum(gaps) / len(confidence))


def brier_score(truth: ArrayLike, scores: ArrayLike) -> float:
    """Mean squared distance ``mean_i sum_c (score_ic - [truth_i = c])²`` between scores and truth, 0..2.

    Source: Brier 1950, "Verification of forecasts expressed in terms of probability". scikit-learn's
    `brier_score_loss` halves it by default for two classes (`scale_by_half`), not for more.

    >>> brier_score([0, 1], [[1.0, 0.0], [0.5, 0.5]])
    0.25
    """
    return float(np.mean(brier_scores(truth, scores)))


def brier_scores(truth: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Each item's share of `brier_score`, `(items,)`.

    >>> brier_scores([0, 1], [[1.0, 0.0], [0.5, 0.5]]).tolist()
    [0.0, 0.5]
    """
    t, p = _checked(truth, scores)
    off = p.copy()
    off[np.arange(len(t)), t] -= 1
    return np.asarray(np.sum(off * off, axis=1))


def reliability(truth: ArrayLike, scores: ArrayLike, bins: int = BINS) -> list[Bin]:
    """The reliability diagram: of each bin of the winner's score, how many items, and how many are right.

    Source: Murphy & Winkler 1977; DeGroot & Fienberg 1983.

    >>> reliability([0, 1], [[0.9, 0.1], [0.8, 0.2]], bins=1)
    [Bin(low=0.0, high=1.0, items=2, confidence=0.85, accuracy=0.5)]
    """
    confidence, right = confidences(truth, scores)
    edges = np.linspace(0, 1, bins + 1)
    index = bin_of(confidence, edges)
    items = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(index, confidence, bins) / items
        share = np.bincount(index, right, bins) / items
    return [
        Bin(float(edges[i]), float(edges[i + 1]), int(items[i]), round(float(mean[i]), 12), float(share[i]))
        for i in range(bins)
    ]


def confidences(truth: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The winner's score and whether it is right (0 or 1), both `(items,)`.

    >>> confidences([0, 0], [[0.9, 0.1], [0.2, 0.8]])
    (array([0.9, 0.8]), array([1., 0.]))
    """
    t, p = _checked(truth, scores)
    return p.max(axis=1), (p.argmax(axis=1) == t).astype(np.float64)


def bin_of(confidence: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each confidence: bins are open at their lower edge, but 0 is in the first.

    >>> bin_of(np.array([0.0, 0.5, 0.6]), np.array([0.0, 0.5, 1.0])).tolist()
    [0, 0, 1]
    """
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2)


def _error(confidence: NDArray[np.float64], right: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    gaps = np.bincount(bin_of(confidence, edges), weights=right - confidence, minlength=len(edges) - 1)
    return float(np.abs(gaps).sum() / len(confidence))


def _checked(truth: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    p = np.asarray(scores, dtype=np.float64)
    if p.ndim != 2:
        raise ValueError(f"scores of shape {p.shape}, not (items, classes)")
    t, _ = pair(truth, p[:, 0])
    if t.min() < 0 or t.max() >= p.shape[1]:
        raise ValueError(f"class indices from {t.min()} to {t.max()}, not 0 to {p.shape[1] - 1}")
    return t.astype(np.int64), p
