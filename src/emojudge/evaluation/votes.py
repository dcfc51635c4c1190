"""Predictions against annotators who differ: credit for any of their labels, distance to their votes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Votes = NDArray[np.float64]


def any_annotator_scores(votes: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """1 for each item whose predicted class at least one annotator chose, else 0; `(items,)`.

    Args:
        votes: counts or shares of annotators `(items, classes)`.
        predicted: class indices `(items,)`.

    Its mean is never below the accuracy where the label is the plurality's, and the more labels an item has,
    the easier it gets: compare systems by it, not corpora.

    Raises:
        ValueError: as in every function here, arrays that do not go together, or an item without a vote.

    >>> any_annotator_scores([[2, 1, 0], [2, 1, 0]], [1, 2]).tolist()
    [1.0, 0.0]
    """
    p = np.asarray(predicted)
    v = _shares(votes, (len(p), -1))
    if len(p) and (p.min() < 0 or p.max() >= v.shape[1]):
        raise ValueError(f"class indices from {p.min()} to {p.max()}, not 0 to {v.shape[1] - 1}")
    named: NDArray[np.float64] = (v[np.arange(len(v)), p] > 0).astype(np.float64)
    return named


def vote_shares(votes: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """The share of annotators who chose each predicted class, `(items,)`: partial credit.

    >>> vote_shares([[2, 1, 1]], [0]).tolist()
    [0.5]
    """
    p = np.asarray(predicted)
    v = _shares(votes, (len(p), -1))
    return np.asarray(v[np.arange(len(v)), p])


def kl_divergences(votes: ArrayLike, scores: ArrayLike, floor: float = 1e-6) -> NDArray[np.float64]:
    """Kullback-Leibler divergence ``sum_c v_c ln(v_c / s_c)`` of scores from votes, in nats, `(items,)`.

    Scores are raised to `floor` and made to sum to 1 again, as one score of exactly 0 for a class that an
    annotator chose would make the mean infinite. Source: Kullback & Leibler 1951.

    >>> kl_divergences([[1, 1]], [[0.5, 0.5]]).tolist()
    [0.0]
    """
    s = np.asarray(scores, dtype=np.float64)
    v = _shares(votes, s.shape)
    s = np.maximum(s, floor)
    s = s / s.sum(axis=1, keepdims=True)
    return _relative(v, s)


def js_divergences(votes: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Jensen-Shannon divergence of scores and votes, in bits, 0..1, `(items,)`.

    ``(KL(v ‖ m) + KL(s ‖ m)) / 2`` with the mean ``m``; its square root is the distance that scipy's
    `jensenshannon(base=2)` gives. It needs no floor. Source: Lin 1991, equation 4.1.

    >>> js_divergences([[1, 0]], [[0.0, 1.0]]).tolist(), js_divergences([[1, 0]], [[1.0, 0.0]]).tolist()
    ([1.0], [0.0])
    """
    s = np.asarray(scores, dtype=np.float64)
    v = _shares(votes, s.shape)
    middle = (v + s) / 2
    apart: NDArray[np.float64] = (_relative(v, middle) + _relative(s, middle)) / (2 * np.log(2))
    return apart


def agreement(votes: ArrayLike) -> NDArray[np.float64]:
    """The share of annotators behind the most chosen class, `(items,)`.

    >>> agreement([[3, 1, 0], [1, 1, 1]]).round(3).tolist()
    [0.75, 0.333]
    """
    v = np.asarray(votes, dtype=np.float64)
    return np.asarray(_shares(votes, v.shape).max(axis=1))


def _relative(p: Votes, q: Votes) -> NDArray[np.float64]:
    """sum p ln(p / q), where 0 ln 0 is 0."""
    terms = np.zeros_like(p)
    there = p > 0
    terms[there] = p[there] * np.log(p[there] / q[there])
    return np.asarray(np.maximum(terms.sum(axis=1), 0.0))


def _shares(votes: ArrayLike, shape: tuple[int, ...]) -> Votes:
    v = np.asarray(votes, dtype=np.float64)
    if v.ndim != 2 or len(v) != shape[0] or shape[1] not in (-1, v.shape[1]):
        raise ValueError(f"votes of shape {v.shape}, not one row for each of {shape[0]} items")
    total = v.sum(axis=1, keepdims=True)
    if np.any(v < 0) or np.any(total <= 0):
        raise ValueError("an item without a vote, or with a negative one")
    return np.asarray(v / total)
