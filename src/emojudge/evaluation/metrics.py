"""The field's metrics on numpy arrays, each with a formula, a reference and an example.

They are written here and not taken from a library because prediction's plain install has none, and because
the formulas on counts take any number of confusions at once, `(..., classes, classes)`, which is what makes a
bootstrap of 10,000 resamples quick. They agree with scikit-learn and audmetric wherever those are defined
(tested with random input). Where the libraries differ:

- `audmetric.concordance_cc` is NaN when both sides are the same constant, `pearson_cc` when one is.
  torchmetrics' `concordance_corrcoef` mixes unbiased variances into Lin's formula: for few items its value is
  another. `ccc` here has population moments and is defined for constants.
- scikit-learn's `f1_score` without `labels`, and torchmetrics' `multiclass_f1_score(average="macro")` always,
  take the mean over the classes that happen to occur, so that a class that nobody predicts drops out of some
  resamples. Here the set is always given.
- `audmetric.unweighted_average_recall` counts a named class without a true item as recall 0. `uar` leaves it
  out, as scikit-learn's `balanced_accuracy_score` does (with a warning).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]
Figures = NDArray[np.float64]


def confusion(truth: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Counts `(classes, classes)`: row the true class, column the predicted one, both given as indices.

    As scikit-learn's `confusion_matrix(labels=range(classes))`.

    Raises:
        ValueError: as in every function here, arrays of different lengths or empty; an index out of range.

    >>> confusion([0, 0, 1], [0, 1, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    t, p = pair(truth, predicted)
    for indices in (t, p):
        if indices.min() < 0 or indices.max() >= classes:
            raise ValueError(f"class indices from {indices.min()} to {indices.max()}, not 0 to {classes - 1}")
    cells = t.astype(np.int64) * classes + p.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def precision_of(counts: Counts) -> Figures:
    """Precision tp / (tp + fp) of each class, `(..., classes)`, from confusions `(..., classes, classes)`.

    0 for a class that is never predicted, as scikit-learn's `precision_score(zero_division=0)`.

    >>> precision_of(confusion([0, 0, 1], [0, 1, 1], 2)).tolist()
    [1.0, 0.5]
    """
    return _share(_hits(counts), counts.sum(axis=-2))


def recall_of(counts: Counts) -> Figures:
    """Recall tp / (tp + fn) of each class, `(..., classes)`; 0 for a class without a true item.

    >>> recall_of(confusion([0, 0, 1], [0, 1, 1], 2)).tolist()
    [0.5, 1.0]
    """
    return _share(_hits(counts), counts.sum(axis=-1))


def f1_of(counts: Counts) -> Figures:
    """F1 = 2 tp / (2 tp + fp + fn) of each class, `(..., classes)`; 0 where it is never true nor predicted.

    Source: van Rijsbergen, *Information Retrieval*, 1979, chapter 7, with β = 1.

    >>> f1_of(confusion([0, 0, 1], [0, 1, 1], 3)).round(4).tolist()
    [0.6667, 0.6667, 0.0]
    """
    return _share(2 * _hits(counts), counts.sum(axis=-2) + counts.sum(axis=-1))


def uar_of(counts: Counts) -> Figures:
    """UAR of confusions `(..., classes, classes)`: mean recall over the classes that have a true item.

    >>> float(uar_of(confusion([0, 0, 1], [0, 1, 1], 2)))
    0.75
    """
    there = counts.sum(axis=-1) > 0
    return _share(recall_of(counts).sum(axis=-1), there.sum(axis=-1))


def accuracy_of(counts: Counts) -> Figures:
    """Share of the items that are on the diagonal of confusions `(..., classes, classes)`.

    >>> round(float(accuracy_of(confusion([0, 0, 1], [0, 1, 1], 2))), 4)
    0.6667
    """
    return _share(_hits(counts).sum(axis=-1), counts.sum(axis=(-2, -1)))


def accuracy(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Share of items whose predicted class is the true one. As scikit-learn's `accuracy_score`.

    >>> accuracy([0, 0, 1, 1], [0, 1, 1, 1])
    0.75
    """
    t, p = pair(truth, predicted)
    return float(np.mean(t == p))


def f1_scores(truth: ArrayLike, predicted: ArrayLike, classes: int) -> Figures:
    """F1 of each class, `(classes,)`, as `macro_f1` means them.

    >>> f1_scores([0, 0, 1], [0, 1, 1], 3).round(4).tolist()
    [0.6667, 0.6667, 0.0]
    """
    return f1_of(confusion(truth, predicted, classes))


def macro_f1(truth: ArrayLike, predicted: ArrayLike, classes: int) -> float:
    """Mean over all `classes` of F1 = 2 tp / (2 tp + fp + fn); 0 for a class never true nor predicted.

    As scikit-learn's `f1_score(labels=range(classes), average="macro", zero_division=0)`: the set of
    classes is fixed, so that a class missing from a sample is not forgiven. It is the mean of the classes'
    F1, not the F1 of mean precision and mean recall, which is another figure that some papers report under
    the same name (Opitz & Burst 2019, "Macro F1 and Macro F1").

    >>> round(macro_f1([0, 0, 1], [0, 1, 1], 2), 4)
    0.6667
    """
    return float(np.mean(f1_scores(truth, predicted, classes)))


def uar(truth: ArrayLike, predicted: ArrayLike, classes: int) -> float:
    """Unweighted average recall: mean of tp / (tp + fn) over the classes that occur in `truth`.

    As scikit-learn's `balanced_accuracy_score`. Source: Schuller et al. 2009, Interspeech challenge.

    >>> uar([0, 0, 1], [0, 1, 1], 2)
    0.75
    """
    return float(uar_of(confusion(truth, predicted, classes)))


def ccc(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Concordance correlation 2 cov / (var_t + var_p + (mean_t - mean_p)²), population moments.

    0, not NaN, when one side is constant; 1 when both are the same constant. Source: Lin 1989, "A concordance
    correlation coefficient to evaluate reproducibility", Biometrics 45, 255-268.

    >>> ccc([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), ccc([1.0, 2.0], [5.0, 5.0])
    (1.0, 0.0)
    """
    t, p = _numbers(truth, predicted)
    spread = t.var() + p.var() + (t.mean() - p.mean()) ** 2
    if spread == 0:
        return 1.0
    return float(2 * np.mean((t - t.mean()) * (p - p.mean())) / spread)


def pearson(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Pearson's correlation cov / (deviation_t deviation_p); 0, not NaN, when a side is constant.

    It forgives a wrong scale and a wrong offset, so it is no substitute for `ccc`.

    >>> round(pearson([1.0, 2.0, 3.0], [10.0, 20.0, 30.0]), 9), pearson([1.0, 2.0], [5.0, 5.0])
    (1.0, 0.0)
    """
    t, p = _numbers(truth, predicted)
    if not np.ptp(t) or not np.ptp(p):
        return 0.0
    t, p = t - t.mean(), p - p.mean()
    size = float(np.sqrt(np.sum(t * t)) * np.sqrt(np.sum(p * p)))
    return float(np.clip(np.sum(t * p) / size, -1.0, 1.0)) if size > 0 else 0.0


def mae(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error ``mean |t - p|``, in the units of its arguments (1..7 for attributes).

    >>> mae([1.0, 2.0, 3.0], [1.0, 4.0, 2.0])
    1.0
    """
    t, p = _numbers(truth, predicted)
    return float(np.mean(np.abs(t - p)))


def pair(truth: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as arrays `(items,)`; numpy would repeat the shorter one without a word.

    Raises:
        ValueError: of different lengths, empty, or of more dimensions.
    """
    t, p = np.asarray(truth), np.asarray(predicted)
    if t.ndim != 1 or t.shape != p.shape or not len(t):
        raise ValueError(f"truth of shape {t.shape} and predictions of shape {p.shape}, not both (items,)")
    return t, p


def _numbers(truth: ArrayLike, predicted: ArrayLike) -> tuple[Figures, Figures]:
    t, p = pair(truth, predicted)
    return t.astype(np.float64), p.astype(np.float64)


def _hits(counts: Counts) -> NDArray[Any]:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _share(part: ArrayLike, whole: ArrayLike) -> Figures:
    """part / whole, 0 where the whole is 0."""
    above, below = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below > 0)
