"""Is a difference between two systems on the same items more than chance? Tests that pair the items."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Metric = Callable[[NDArray[Any], NDArray[Any]], float]  # (truth, predicted) → figure


@dataclass(frozen=True)
class Difference:
    """A metric of two systems on the same items, and the interval of their difference."""

    before: float
    after: float
    low: float  # of after - before, at the interval's level
    high: float
    p: float  # two-sided: how often resampling puts the difference on the other side of 0, doubled
    level: float

    @property
    def gain(self) -> float:
        return self.after - self.before

    @property
    def better(self) -> bool:
        """Better beyond chance: the whole interval above 0, and p under what the level leaves."""
        return self.low > 0 and self.p < 1 - self.level


@dataclass(frozen=True)
class McNemar:
    """Counts of the items that one system got right and the other wrong, and the test on them."""

    wrong_to_right: int
    right_to_wrong: int
    p: float  # two-sided, exact


def mcnemar(truth: ArrayLike, before: ArrayLike, after: ArrayLike) -> McNemar:
    """McNemar's exact test on paired right and wrong answers.

    Of the items on which the two systems differ in being right, half should go either way if they are equally
    good: p is the two-sided binomial probability of a split as uneven as this. 1 where they never differ.
    Source: McNemar 1947; the exact form, for any number of items.

    Raises:
        ValueError: arrays of different lengths.

    >>> mcnemar([0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0])
    McNemar(wrong_to_right=5, right_to_wrong=0, p=0.0625)
    """
    t, b, a = np.asarray(truth), np.asarray(before), np.asarray(after)
    if not t.shape == b.shape == a.shape:
        raise ValueError(f"shapes {t.shape}, {b.shape} and {a.shape}, not all alike")
    gained = int(np.sum((b != t) & (a == t)))
    lost = int(np.sum((b == t) & (a != t)))
    return McNemar(gained, lost, _binomial_half(min(gained, lost), gained + lost))


@dataclass(frozen=True)
class Interval:
    """A metric of one system, and the percentile interval of what other samples of items would give."""

    value: float
    low: float
    high: float
    level: float


def bootstrap(
    metric: Metric,
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """A metric with its percentile interval; arguments, source and errors as for `paired_bootstrap`.

    >>> right = lambda truth, predicted: float(np.mean(truth == predicted))
    >>> interval = bootstrap(right, [0, 1] * 50, [0, 0] * 50)
    >>> interval.value, interval.low < 0.5 < interval.high
    (0.5, True)
    """
    t, p = np.asarray(truth), np.asarray(predicted)
    if len(t) != len(p) or not len(t):
        raise ValueError(f"{len(t)} and {len(p)} items, not as many of each, or none")
    values = [metric(t[items], p[items]) for items in _drawn(len(t), groups, resamples, seed)]
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(metric(t, p), float(low), float(high), level)


def paired_bootstrap(
    metric: Metric,
    truth: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """The difference of a metric between two systems, with its percentile interval.

    Items are drawn with replacement, the same ones for both systems, so that what makes an item hard for
    both does not widen the interval.

    Args:
        metric: of truth and predictions `(items, ...)`, such as macro-F1.
        groups: one key per item, such as its speaker: whole groups are drawn, as what one speaker's items
            have in common is not worth as many observations.

    Source: Efron & Tibshirani 1993, chapters 13 and 16.

    Raises:
        ValueError: arrays of different lengths, or empty.

    >>> right = lambda truth, predicted: float(np.mean(truth == predicted))
    >>> result = paired_bootstrap(right, [0, 1] * 50, [0, 0] * 50, [0, 1] * 50)
    >>> result.gain, result.better
    (0.5, True)
    """
    t, b, a = np.asarray(truth), np.asarray(before), np.asarray(after)
    if not len(t) == len(b) == len(a) or not len(t):
        raise ValueError(f"{len(t)}, {len(b)} and {len(a)} items, not as many of each, or none")
    draws = _drawn(len(t), groups, resamples, seed)
    differences = np.array([metric(t[i], a[i]) - metric(t[i], b[i]) for i in draws])
    tail = (1 - level) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    # One is added to both counts: that the observed sample is among those that could have been drawn.
    below, above = np.sum(differences <= 0) + 1, np.sum(differences >= 0) + 1
    p = min(1.0, 2 * min(below, above) / (resamples + 1))
    return Difference(metric(t, b), metric(t, a), float(low), float(high), float(p), level)


def _drawn(
    items: int, groups: Sequence[object] | None, resamples: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """The items of every resample: as many as there are, or as many whole groups, with replacement."""
    members = _members(items, groups)
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        drawn = random.integers(len(members), size=len(members))
        yield drawn if groups is None else np.concatenate([members[g] for g in drawn])


def _members(items: int, groups: Sequence[object] | None) -> list[NDArray[np.int64]] | range:
    """The items of each group; without groups, every item is its own."""
    if groups is None:
        return range(items)
    if len(groups) != items:
        raise ValueError(f"{len(groups)} groups for {items} items")
    by_group: dict[object, list[int]] = {}
    for index, group in enumerate(groups):
        by_group.setdefault(group, []).append(index)
    return [np.array(indices) for indices in by_group.values()]


def _binomial_half(fewer: int, total: int) -> float:
    """Two-sided probability of a split as uneven as `fewer` of `total` under a fair coin."""
    if 2 * fewer == total:
        return 1.0
    logs = [
        math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) - total * math.log(2)
        for k in range(fewer + 1)
    ]
    top = max(logs)
    return min(1.0, 2 * math.exp(top) * math.fsum(math.exp(value - top) for value in logs))
