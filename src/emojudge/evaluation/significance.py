"""How sure a figure is, and whether a difference between systems on the same items is more than chance.

One speaker's items are alike, so whole speakers are drawn wherever they are known (`groups`). Every test is
seeded: the same input gives the same interval.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emojudge.evaluation.figures import Figure
from emojudge.evaluation.resampling import (
    NORMAL,
    Sums,
    bca_interval,
    group_sums,
    percentile_interval,
    resampled,
    swapped,
)

Method = Literal["percentile", "bca"]
RESAMPLES = 10_000
POWER = 0.8  # the usual chance to see a difference that is there


@dataclass(frozen=True)
class Interval:
    """A metric of one system, and the interval of what other samples of items would give."""

    value: float
    low: float
    high: float
    level: float
    error: float  # standard deviation over the resamples


@dataclass(frozen=True)
class Difference:
    """A metric of two systems on the same items, and the interval of their difference."""

    before: float
    after: float
    low: float  # of after - before, at the interval's level
    high: float
    p: float  # two-sided: how often resampling puts the difference on the other side of 0, doubled
    level: float
    error: float  # standard deviation of after - before over the resamples

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
    p: float  # two-sided, exact: never too small, often too large
    mid_p: float  # two-sided with half the observed split's own probability: near the level on average


def bootstrap(
    figure: Figure,
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
    method: Method = "percentile",
) -> Interval:
    """A metric with its interval.

    Args:
        figure: of truth and predictions `(items, ...)`, such as `figures.macro_f1(8)`.
        truth: labels `(items, ...)`.
        predicted: `(items, ...)`.
        groups: one key per item, such as its speaker: whole groups are drawn, as what one speaker's items
            have in common is not worth as many observations.
        resamples: how many.
        level: such as 0.95.
        seed: of the draws.
        method: `percentile` has its bias taken out and is widened for few groups, which matters most for
            corpora with few speakers; `bca` corrects bias and skewness, and is too narrow for few groups.

    Source: Efron & Tibshirani 1993, chapters 13 and 14; of groups: Davison & Hinkley 1997, section 3.8.

    Raises:
        ValueError: arrays of different lengths, or empty.

    >>> from emojudge.evaluation.figures import ACCURACY
    >>> interval = bootstrap(ACCURACY, [0, 1] * 50, [0, 0] * 50)
    >>> interval.value, interval.low < 0.5 < interval.high
    (0.5, True)
    """
    return bootstrap_all(
        [figure], truth, predicted, groups=groups, resamples=resamples, level=level, seed=seed, method=method
    )[0]


def bootstrap_all(
    wanted: Sequence[Figure],
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
    method: Method = "percentile",
) -> list[Interval]:
    """Several metrics of the same items from the same resamples, as `bootstrap` gives each."""
    t, p = _alike(truth, predicted)
    known: dict[object, tuple[Sums, Sums]] = {}  # figures of a confusion share its terms
    found = []
    for figure in wanted:
        if figure.terms not in known:
            sums = group_sums(figure.terms(t, p), groups)
            known[figure.terms] = sums, resampled(sums, resamples, seed)
        sums, drawn = known[figure.terms]
        values = figure.value(drawn)
        low, high = interval_of(figure, sums, values, level, method)
        found.append(Interval(float(figure.value(sums.sum(axis=0))), low, high, level, float(values.std())))
    return found


def interval_of(
    figure: Figure, sums: Sums, values: NDArray[np.float64], level: float, method: Method = "percentile"
) -> tuple[float, float]:
    """The interval from a figure's resampled values and the groups' sums."""
    total = sums.sum(axis=0)
    value = float(figure.value(total))
    if method == "percentile":
        return percentile_interval(values, value, len(sums), level)
    return bca_interval(values, value, figure.value(total - sums), level)


def paired_bootstrap(
    figure: Figure,
    truth: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    seed: int = 0,
) -> Difference:
    """The difference of a metric between two systems, with its percentile interval.

    Items, or whole groups, are drawn with replacement, the same ones for both systems, so that what makes an
    item hard for both does not widen the interval. Arguments, source and errors as for `bootstrap`.

    >>> from emojudge.evaluation.figures import ACCURACY
    >>> result = paired_bootstrap(ACCURACY, [0, 1] * 50, [0, 0] * 50, [0, 1] * 50)
    >>> result.gain, result.better
    (0.5, True)
    """
    old, new = _both(figure, truth, before, after, groups)
    width = old.shape[1]
    drawn = resampled(np.hstack([old, new]), resamples, seed)
    values = figure.value(drawn[:, width:]) - figure.value(drawn[:, :width])
    first, second = (float(figure.value(sums.sum(axis=0))) for sums in (old, new))
    low, high = percentile_interval(values, second - first, len(old), level)
    # One is added to both counts: the observed sample is among those that could have been drawn.
    below, above = np.sum(values <= 0) + 1, np.sum(values >= 0) + 1
    p = min(1.0, 2 * min(below, above) / (resamples + 1))
    return Difference(first, second, low, high, float(p), level, float(values.std()))


def permutation_test(
    figure: Figure,
    truth: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    *,
    groups: Sequence[object] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> float:
    """Two-sided p of a difference at least as large if it did not matter which system is which.

    For every item, or every whole group, a coin says whether the two systems' outputs are exchanged. Exact up
    to the number of resamples for equally good systems, also for few groups, where the bootstrap is not.

    Source: approximate randomisation, Noreen 1989; Yeh 2000, "More accurate tests for the statistical
    significance of result differences". Arguments and errors as for `bootstrap`.

    >>> from emojudge.evaluation.figures import ACCURACY
    >>> permutation_test(ACCURACY, [0, 1] * 50, [0, 0] * 50, [0, 1] * 50) < 0.001
    True
    """
    old, new = _both(figure, truth, before, after, groups)
    observed = abs(float(figure.value(new.sum(axis=0)) - figure.value(old.sum(axis=0))))
    one, other = swapped(old, new, resamples, seed)
    apart = np.abs(figure.value(other) - figure.value(one))
    return float((np.sum(apart >= observed - 1e-12) + 1) / (resamples + 1))


def mcnemar(truth: ArrayLike, before: ArrayLike, after: ArrayLike) -> McNemar:
    """McNemar's test on paired right and wrong answers.

    Of the items on which the two systems differ in being right, half should go either way if they are equally
    good: p is the two-sided binomial probability of a split as uneven as this. 1 where they never differ. It
    takes items as independent, which those of one speaker are not: with few speakers, trust the permutation
    of speakers instead.

    Source: McNemar 1947; the exact form, for any number of items; mid-p: Fagerland, Lydersen & Laake 2013.

    Raises:
        ValueError: arrays of different lengths.

    >>> mcnemar([0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0])
    McNemar(wrong_to_right=5, right_to_wrong=0, p=0.0625, mid_p=0.03125)
    """
    t, b, a = np.asarray(truth), np.asarray(before), np.asarray(after)
    if not t.shape == b.shape == a.shape:
        raise ValueError(f"shapes {t.shape}, {b.shape} and {a.shape}, not all alike")
    gained = int(np.sum((b != t) & (a == t)))
    lost = int(np.sum((b == t) & (a != t)))
    fewer, total = min(gained, lost), gained + lost
    p, own = _binomial_half(fewer, total)
    return McNemar(gained, lost, p, p if 2 * fewer == total else p - own)


def holm(p: Sequence[float]) -> list[float]:
    """p of several tests, corrected so that one false finding among all of them stays as rare as said.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(p)
    most = 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        most = max(most, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = round(most, 15)
    return corrected


def detectable(error: float, level: float = 0.95, power: float = POWER) -> float:
    """The smallest true difference that a test at this standard error would find with this probability.

    ``(z_{1 - α/2} + z_power) error``. Source: Cohen 1988; for paired systems `error` is `Difference.error`.

    >>> round(detectable(0.0075), 4)
    0.021
    """
    return (NORMAL.inv_cdf((1 + level) / 2) + NORMAL.inv_cdf(power)) * error


def _both(
    figure: Figure, truth: ArrayLike, before: ArrayLike, after: ArrayLike, groups: Sequence[object] | None
) -> tuple[Sums, Sums]:
    t, b, a = _alike(truth, before, after)
    return group_sums(figure.terms(t, b), groups), group_sums(figure.terms(t, a), groups)


def _alike(*arrays: ArrayLike) -> tuple[NDArray[np.generic], ...]:
    made = tuple(np.asarray(array) for array in arrays)
    lengths = [len(array) for array in made]
    if len(set(lengths)) > 1 or not lengths[0]:
        raise ValueError(f"{lengths} items, not as many of each, or none")
    return made


def _binomial_half(fewer: int, total: int) -> tuple[float, float]:
    """Two-sided probability of a split as uneven as `fewer` of `total` with a fair coin, and of just that."""
    logs = [
        math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) - total * math.log(2)
        for k in range(fewer + 1)
    ]
    own = math.exp(logs[-1])
    if 2 * fewer == total:
        return 1.0, own
    top = max(logs)
    return min(1.0, 2 * math.exp(top) * math.fsum(math.exp(value - top) for value in logs)), own
