"""Metrics as functions of sums over the items, which is what lets thousands of resamples be had at once.

A confusion is a sum of one-hot cells; CCC is a function of sums of t, p, t², p² and tp; a calibration error
of sums per bin. So a resample of items or of whole speakers needs no loop over metrics: its sums are weights
times the items' terms, a matrix product, and the figure is taken of all resamples' sums together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emojudge.evaluation import metrics, reliability, votes

Terms = NDArray[np.float64]  # (items, sums)
Sums = NDArray[np.float64]  # (..., sums)


@dataclass(frozen=True)
class Figure:
    """A metric of truth and predictions that depends on the items through sums alone.

    >>> ACCURACY([0, 0, 1], [0, 1, 1]) == metrics.accuracy([0, 0, 1], [0, 1, 1])
    True
    """

    name: str
    terms: Callable[[NDArray[Any], NDArray[Any]], Terms]  # of truth and predictions `(items, ...)`
    value: Callable[[Sums], NDArray[np.float64]]  # (..., sums) → (...)
    better: int = 1  # -1 for a figure that is the better the smaller it is

    def __call__(self, truth: ArrayLike, predicted: ArrayLike) -> float:
        """The figure of all items.

        Raises:
            ValueError: arrays that do not go together.
        """
        return float(self.value(self.terms(np.asarray(truth), np.asarray(predicted)).sum(axis=0)))


def _right(truth: NDArray[Any], predicted: NDArray[Any]) -> Terms:
    t, p = metrics.pair(truth, predicted)
    return _mean_terms((t == p).astype(np.float64))


def mean_of(name: str, each: Callable[[Any, Any], NDArray[np.float64]], better: int = 1) -> Figure:
    """The mean over the items of a score that each item has.

    >>> mean_of("mean absolute error", lambda t, p: np.abs(t - p), -1)([1.0, 2.0], [1.0, 4.0])
    1.0
    """
    return Figure(name, lambda t, p: _mean_terms(each(t, p)), lambda sums: _mean(sums), better)


ACCURACY = Figure("accuracy", _right, lambda sums: _mean(sums))
MAE = mean_of("MAE", lambda t, p: np.abs(np.subtract(*metrics.pair(t, p))), -1)
BRIER = mean_of("Brier", reliability.brier_scores, -1)
ANY_ANNOTATOR = mean_of("any annotator's label", votes.any_annotator_scores)
VOTE_SHARE = mean_of("share of annotators", votes.vote_shares)
KL = mean_of("KL from votes", votes.kl_divergences, -1)
JS = mean_of("JS from votes", votes.js_divergences, -1)


def macro_f1(classes: int, among: Sequence[int] | None = None) -> Figure:
    """Macro-F1 as `metrics.macro_f1`; `among` means only these classes, whatever else is predicted.

    >>> macro_f1(2)([0, 0, 1], [0, 1, 1]) == metrics.macro_f1([0, 0, 1], [0, 1, 1], 2)
    True
    """
    wanted = list(range(classes) if among is None else among)
    return _of_counts("macro-F1", classes, lambda counts: metrics.f1_of(counts)[..., wanted].mean(axis=-1))


def uar(classes: int) -> Figure:
    """Unweighted average recall, as `metrics.uar`."""
    return _of_counts("UAR", classes, metrics.uar_of)


def precision(classes: int, of: int) -> Figure:
    """One class's precision, 0 where it is never predicted."""
    return _of_counts("precision", classes, lambda counts: metrics.precision_of(counts)[..., of])


def recall(classes: int, of: int) -> Figure:
    """One class's recall, 0 where it has no true item."""
    return _of_counts("recall", classes, lambda counts: metrics.recall_of(counts)[..., of])


def f1(classes: int, of: int) -> Figure:
    """One class's F1."""
    return _of_counts("F1", classes, lambda counts: metrics.f1_of(counts)[..., of])


def ccc(column: int | None = None) -> Figure:
    """CCC as `metrics.ccc`; of one column of `(items, columns)` where `column` is given.

    >>> round(ccc()([1.0, 2.0, 4.0], [1.5, 2.0, 3.0]) - metrics.ccc([1.0, 2.0, 4.0], [1.5, 2.0, 3.0]), 12)
    0.0
    """
    return Figure("CCC", lambda t, p: _moments(_column(t, column), _column(p, column)), _ccc)


def pearson(column: int | None = None) -> Figure:
    """Pearson's correlation as `metrics.pearson`."""
    return Figure("Pearson", lambda t, p: _moments(_column(t, column), _column(p, column)), _pearson)


def mean_ccc(columns: int) -> Figure:
    """The mean of the columns' CCC, of truth and predictions `(items, columns)`."""

    def terms(truth: NDArray[Any], predicted: NDArray[Any]) -> Terms:
        return np.hstack([_moments(_column(truth, c), _column(predicted, c)) for c in range(columns)])

    def value(sums: Sums) -> NDArray[np.float64]:
        each = [_ccc(part) for part in np.split(sums, columns, axis=-1)]
        return np.asarray(np.mean(each, axis=0))

    return Figure("mean CCC", terms, value)


def calibration_error(bins: int = reliability.BINS) -> Figure:
    """ECE as `reliability.expected_calibration_error`, of class indices and scores `(items, classes)`."""
    edges = np.linspace(0, 1, bins + 1)

    def terms(truth: NDArray[Any], scores: NDArray[Any]) -> Terms:
        confidence, right = reliability.confidences(truth, scores)
        gaps = np.zeros((len(confidence), bins + 1))
        gaps[np.arange(len(confidence)), reliability.bin_of(confidence, edges)] = right - confidence
        gaps[:, bins] = 1
        return gaps

    return Figure("ECE", terms, lambda s: _divided(np.abs(s[..., :-1]).sum(axis=-1), s[..., -1]), -1)


def _of_counts(name: str, classes: int, value: Callable[[NDArray[np.float64]], Any]) -> Figure:
    return Figure(
        name,
        _cells_of(classes),
        lambda s: np.asarray(value(s.reshape(*s.shape[:-1], classes, classes)), np.float64),
    )


@lru_cache
def _cells_of(classes: int) -> Callable[[NDArray[Any], NDArray[Any]], Terms]:
    """One function for all figures of a confusion, so that they can share its sums."""

    def terms(truth: NDArray[Any], predicted: NDArray[Any]) -> Terms:
        t, p = metrics.pair(truth, predicted)
        metrics.confusion(t, p, classes)  # refuses indices out of range
        cells = np.zeros((len(t), classes * classes))
        cells[np.arange(len(t)), t.astype(np.int64) * classes + p.astype(np.int64)] = 1
        return cells

    return terms


def _moments(truth: NDArray[Any], predicted: NDArray[Any]) -> Terms:
    """1, t, p, t², p², tp and t - p of each item, t and p from their first: constants stay exact zeros."""
    t, p = (values.astype(np.float64) for values in metrics.pair(truth, predicted))
    apart = t - p
    t, p = t - t[0], p - p[0]
    return np.stack([np.ones_like(t), t, p, t * t, p * p, t * p, apart], axis=1)


def _spreads(sums: Sums) -> tuple[NDArray[np.float64], ...]:
    """Population variance of t and of p, covariance, and difference of means."""
    n, t, p, tt, pp, tp, apart = np.moveaxis(sums, -1, 0)
    n = np.maximum(n, 1)
    t, p = t / n, p / n
    return np.maximum(tt / n - t * t, 0), np.maximum(pp / n - p * p, 0), tp / n - t * p, apart / n


def _ccc(sums: Sums) -> NDArray[np.float64]:
    t, p, both, apart = _spreads(sums)
    below = t + p + apart**2
    return np.where(below > 0, _divided(2 * both, below), 1.0)


def _pearson(sums: Sums) -> NDArray[np.float64]:
    t, p, both, _ = _spreads(sums)
    return np.clip(_divided(both, np.sqrt(t * p)), -1, 1)


def _mean_terms(each: NDArray[np.float64]) -> Terms:
    return np.stack([np.ones(len(each)), each], axis=1)


def _mean(sums: Sums) -> NDArray[np.float64]:
    return _divided(sums[..., 1], sums[..., 0])


def _column(values: NDArray[Any], column: int | None) -> NDArray[Any]:
    return values if column is None else values[:, column]


def _divided(above: ArrayLike, below: ArrayLike) -> NDArray[np.float64]:
    a, b = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.divide(a, b, out=np.zeros(a.shape), where=b > 0)
