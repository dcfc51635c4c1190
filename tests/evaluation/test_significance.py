"""Paired tests against scipy and against what can be calculated by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from emojudge.evaluation.metrics import ccc, macro_f1
from emojudge.evaluation.significance import bootstrap, mcnemar, paired_bootstrap


def accuracy(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(np.mean(truth == predicted))


@settings(deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 20))
def test_mcnemar_is_scipys_binomial_test(gained: int, lost: int, same: int) -> None:
    truth = np.zeros(gained + lost + same, dtype=int)
    before = np.array([1] * gained + [0] * lost + [1] * same, dtype=int)
    after = np.array([0] * gained + [1] * lost + [2] * same, dtype=int)
    result = mcnemar(truth, before, after)
    assert (result.wrong_to_right, result.right_to_wrong) == (gained, lost)
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert result.p == pytest.approx(expected, rel=1e-9)


def test_mcnemar_does_not_underflow_on_many_items() -> None:
    result = mcnemar([0] * 6000, [1] * 5000 + [0] * 1000, [0] * 5000 + [1] * 1000)
    assert 0 <= result.p < 1e-300


@pytest.mark.parametrize("metric", [accuracy, lambda t, p: macro_f1(t, p, 4)])
def test_interval_agrees_with_scipys_paired_bootstrap(metric) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(4)
    truth = random.integers(4, size=400)
    before = np.where(random.random(400) < 0.6, truth, random.integers(4, size=400))
    after = np.where(random.random(400) < 0.3, truth, before)
    ours = paired_bootstrap(metric, truth, before, after, resamples=3000)
    theirs = stats.bootstrap(
        (truth, before, after), lambda t, b, a: metric(t, a) - metric(t, b),
        paired=True, vectorized=False, method="percentile", n_resamples=3000, random_state=1,
    ).confidence_interval  # fmt: skip
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    assert ours.gain == metric(truth, after) - metric(truth, before)


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(8)
    held = 0
    for trial in range(200):
        truth = np.zeros(150)
        before, after = (random.random((2, 150)) < 0.4).astype(float)  # equally good: the true gain is 0
        result = paired_bootstrap(accuracy, truth, before, after, resamples=200, seed=trial)
        held += result.low <= 0 <= result.high
    assert 0.89 <= held / 200 <= 1.0


def test_groups_widen_the_interval_where_their_items_are_alike() -> None:
    random = np.random.default_rng(2)
    speakers = np.repeat(np.arange(20), 30)
    truth = np.zeros(600)
    before, after = np.ones(600), np.repeat((random.random(20) < 0.5).astype(float), 30)
    apart = paired_bootstrap(accuracy, truth, before, after, resamples=500)
    together = paired_bootstrap(accuracy, truth, before, after, groups=list(speakers), resamples=500)
    assert together.high - together.low > 3 * (apart.high - apart.low)


def test_metrics_of_several_columns() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(size=(300, 3))
    before, after = truth + random.normal(size=(300, 3)), truth + 0.3 * random.normal(size=(300, 3))

    def mean_ccc(t: np.ndarray, p: np.ndarray) -> float:
        return float(np.mean([ccc(t[:, i], p[:, i]) for i in range(3)]))

    result = paired_bootstrap(mean_ccc, truth, before, after, resamples=200)
    assert result.better
    assert result.p < 0.02


def test_no_difference_is_no_finding() -> None:
    result = paired_bootstrap(accuracy, [0, 1, 1], [0, 1, 0], [0, 1, 0])
    assert (result.gain, result.low, result.high, result.p, result.better) == (0, 0, 0, 1, False)


def test_lengths_that_differ_are_refused() -> None:
    for arguments in (([0, 1], [0], [0, 1]), ([], [], [])):
        with pytest.raises(ValueError, match="items"):
            paired_bootstrap(accuracy, *arguments)
    with pytest.raises(ValueError, match="groups"):
        paired_bootstrap(accuracy, [0, 1], [0, 1], [1, 1], groups=["one"])
    with pytest.raises(ValueError, match="shapes"):
        mcnemar([0, 1], [0], [0, 1])


def test_the_interval_of_one_system_agrees_with_scipys_bootstrap() -> None:
    random = np.random.default_rng(5)
    truth = random.normal(size=300)
    predicted = truth + random.normal(size=300)
    ours = bootstrap(ccc, truth, predicted, resamples=3000)
    theirs = stats.bootstrap(
        (truth, predicted), ccc, paired=True, vectorized=False, n_resamples=3000, method="percentile",
        rng=np.random.default_rng(6),
    ).confidence_interval  # fmt: skip
    assert ours.value == ccc(truth, predicted)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_the_interval_is_wider_where_whole_speakers_are_drawn() -> None:
    """Ten speakers of thirty items that are all right or all wrong are worth ten observations."""
    right = np.repeat(np.arange(10) % 2, 30)
    alone = bootstrap(accuracy, np.ones(300), right)
    grouped = bootstrap(accuracy, np.ones(300), right, groups=np.repeat(np.arange(10), 30).tolist())
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="or none"):
        bootstrap(accuracy, [], [])
