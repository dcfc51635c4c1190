"""The field's metrics on numpy arrays, each with a formula, a reference and an example."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def confusion(truth: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Counts `(classes, classes)`: row the true class, column the predicted one, both given as indices.

    Raises:
        ValueError: as in every function here, arrays of different lengths or empty; an index out of range.

    >>> confusion([0, 0, 1], [0, 1, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    t, p = _pair(truth, predicted)
    for indices in (t, p):
        if indices.min() < 0 or indices.max() >= classes:
            raise ValueError(f"class indices from {indices.min()} to {indices.max()}, not 0 to {classes - 1}")
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (t.astype(int), p.astype(int)), 1)
    return counts


def macro_f1(truth: ArrayLike, predicted: ArrayLike, classes: int) -> float:
    """Mean over all `classes` of F1 = 2 tp / (2 tp + fp + fn); 0 for a class never true nor predicted.

    As scikit-learn's `f1_score(labels=range(classes), average="macro", zero_division=0)`: the set of
    classes is fixed, so that a class missing from a sample is not forgiven.

    >>> round(macro_f1([0, 0, 1], [0, 1, 1], 2), 4)
    0.6667
    """
    return float(np.mean(f1_scores(truth, predicted, classes)))


def f1_scores(truth: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.float64]:
    """F1 of each class, `(classes,)`, as `macro_f1` means them.

    >>> f1_scores([0, 0, 1], [0, 1, 1], 3).round(4).tolist()
    [0.6667, 0.6667, 0.0]
    """
    counts = confusion(truth, predicted, classes)
    total = counts.sum(axis=0) + counts.sum(axis=1)
    return np.asarray(np.divide(2 * np.diag(counts), total, out=np.zeros(classes), where=total > 0))


def uar(truth: ArrayLike, predicted: ArrayLike, classes: int) -> float:
    """Unweighted average recall: mean of tp / (tp + fn) over the classes that occur in `truth`.

    As scikit-learn's `balanced_accuracy_score`. Source: Schuller et al. 2009, Interspeech challenge.

    >>> uar([0, 0, 1], [0, 1, 1], 2)
    0.75
    """
    counts = confusion(truth, predicted, classes)
    support = counts.sum(axis=1)
    present = support > 0
    return float(np.mean(np.diag(counts)[present] / support[present]))


def ccc(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Concordance correlation 2 cov / (var_t + var_p + (mean_t - mean_p)²), population moments.

    0, not NaN, when one side is constant; 1 when both are the same constant. Source: Lin 1989.

    >>> ccc([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), ccc([1.0, 2.0], [5.0, 5.0])
    (1.0, 0.0)
    """
    t, p = (values.astype(np.float64) for values in _pair(truth, predicted))
    spread = t.var() + p.var() + (t.mean() - p.mean()) ** 2
    if spread == 0:
        return 1.0
    return float(2 * np.mean((t - t.mean()) * (p - p.mean())) / spread)


def expected_calibration_error(truth: ArrayLike, scores: ArrayLike, bins: int = 15) -> float:
    """ECE: mean over confidence bins of ``|accuracy - confidence|``, weighted by the bins' share of items.

    Args:
        truth: class indices `(items,)`.
        scores: probabilities `(items, classes)`; the confidence is the largest.
        bins: of equal width on (0, 1].

    Source: Guo et al. 2017, equation 3.

    >>> expected_calibration_error([0, 0], [[1.0, 0.0], [1.0, 0.0]])
    0.0
    """
    p = np.asarray(scores, dtype=np.float64)
    t, winner = _pair(truth, p.argmax(axis=1))
    confidence, correct = p.max(axis=1), winner == t
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(index, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def _pair(truth: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as arrays `(items,)`; numpy would repeat the shorter one without a word."""
    t, p = np.asarray(truth), np.asarray(predicted)
    if t.ndim != 1 or t.shape != p.shape or not len(t):
        raise ValueError(f"truth of shape {t.shape} and predictions of shape {p.shape}, not both (items,)")
    return t, p
