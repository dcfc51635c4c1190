"""Paired tests against scipy and against what can be calculated by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from emojudge.evaluation import figures, metrics
from emojudge.evaluation.figures import ACCURACY, ccc, macro_f1, mean_ccc
from emojudge.evaluation.resampling import group_sums, percentile_interval, resampled, student_quantile
from emojudge.evaluation.significance import (
    bootstrap,
    detectable,
    holm,
    mcnemar,
    paired_bootstrap,
    permutation_test,
)


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
    own = stats.binom.pmf(min(gained, lost), gained + lost, 0.5)
    assert result.mid_p == pytest.approx(min(1.0, expected if gained == lost else expected - own), rel=1e-9)


def test_mcnemar_does_not_underflow_on_many_items() -> None:
    result = mcnemar([0] * 6000, [1] * 5000 + [0] * 1000, [0] * 5000 + [1] * 1000)
    assert 0 <= result.p < 1e-300


@pytest.mark.parametrize("metric", [ACCURACY, macro_f1(4)])
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
        result = paired_bootstrap(ACCURACY, truth, before, after, resamples=200, seed=trial)
        held += result.low <= 0 <= result.high
    assert 0.89 <= held / 200 <= 1.0


def test_groups_widen_the_interval_where_their_items_are_alike() -> None:
    random = np.random.default_rng(2)
    speakers = np.repeat(np.arange(20), 30)
    truth = np.zeros(600)
    before, after = np.ones(600), np.repeat((random.random(20) < 0.5).astype(float), 30)
    apart = paired_bootstrap(ACCURACY, truth, before, after, resamples=500)
    together = paired_bootstrap(ACCURACY, truth, before, after, groups=list(speakers), resamples=500)
    assert together.high - together.low > 3 * (apart.high - apart.low)


def test_metrics_of_several_columns() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(size=(300, 3))
    before, after = truth + random.normal(size=(300, 3)), truth + 0.3 * random.normal(size=(300, 3))
    result = paired_bootstrap(mean_ccc(3), truth, before, after, resamples=200)
    assert result.better
    assert result.p < 0.02


def test_no_difference_is_no_finding() -> None:
    result = paired_bootstrap(ACCURACY, [0, 1, 1], [0, 1, 0], [0, 1, 0])
    assert (result.gain, result.low, result.high, result.p, result.better) == (0, 0, 0, 1, False)


def test_lengths_that_differ_are_refused() -> None:
    for arguments in (([0, 1], [0], [0, 1]), ([], [], [])):
        with pytest.raises(ValueError, match="items"):
            paired_bootstrap(ACCURACY, *arguments)
    with pytest.raises(ValueError, match="groups"):
        paired_bootstrap(ACCURACY, [0, 1], [0, 1], [1, 1], groups=["one"])
    with pytest.raises(ValueError, match="shapes"):
        mcnemar([0, 1], [0], [0, 1])


def test_the_interval_of_one_system_agrees_with_scipys_bootstrap() -> None:
    random = np.random.default_rng(5)
    truth = random.normal(size=300)
    predicted = truth + random.normal(size=300)
    ours = bootstrap(ccc(), truth, predicted, resamples=3000)
    theirs = stats.bootstrap(
        (truth, predicted), metrics.ccc, paired=True, vectorized=False, n_resamples=3000, method="percentile",
        rng=np.random.default_rng(6),
    ).confidence_interval  # fmt: skip
    assert ours.value == ccc()(truth, predicted)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_the_interval_is_wider_where_whole_speakers_are_drawn() -> None:
    """Ten speakers of thirty items that are all right or all wrong are worth ten observations."""
    right = np.repeat(np.arange(10) % 2, 30)
    alone = bootstrap(ACCURACY, np.ones(300), right)
    grouped = bootstrap(ACCURACY, np.ones(300), right, groups=np.repeat(np.arange(10), 30).tolist())
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="or none"):
        bootstrap(ACCURACY, [], [])


# ------------------------------------------------------------------------------------------------- resampling


def test_one_speaker_a_group_or_none_given_is_the_same() -> None:
    random = np.random.default_rng(1)
    truth, predicted = random.integers(4, size=(2, 80))
    alone = bootstrap(macro_f1(4), truth, predicted, seed=3)
    named = bootstrap(macro_f1(4), truth, predicted, groups=[f"s{i}" for i in range(80)], seed=3)
    assert (alone.low, alone.high) == (named.low, named.high)


@pytest.mark.parametrize("items", [40, 4000])
def test_both_ways_to_draw_have_the_moments_of_a_bootstrap(items: int) -> None:
    """Few kinds of rows are drawn together, many one by one: mean and deviation are theory's either way."""
    random = np.random.default_rng(2)
    for values in (random.integers(2, size=items).astype(float), random.normal(size=items)):
        drawn = resampled(np.stack([np.ones(items), values], axis=1), 2000, 0)
        assert (drawn[:, 0] == items).all()
        means = drawn[:, 1] / items
        assert means.mean() == pytest.approx(values.mean(), abs=4 * values.std() / np.sqrt(items * 2000))
        assert means.std() == pytest.approx(values.std() / np.sqrt(items), rel=0.08)


def test_a_seed_gives_the_same_and_another_one_not() -> None:
    random = np.random.default_rng(5)
    truth, predicted = random.integers(4, size=(2, 200))
    first, again, other = (bootstrap(macro_f1(4), truth, predicted, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first.low != other.low
    groups = (np.arange(200) // 10).tolist()
    p = [permutation_test(ACCURACY, truth, predicted, truth, groups=groups, seed=s) for s in (1, 1)]
    assert p[0] == p[1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 30))
def test_groups_keep_every_item(seed: int, items: int) -> None:
    random = np.random.default_rng(seed)
    terms, groups = random.normal(size=(items, 3)), random.integers(5, size=items).tolist()
    sums = group_sums(terms, groups)
    assert len(sums) == len(set(groups))
    np.testing.assert_allclose(sums.sum(axis=0), terms.sum(axis=0))
    np.testing.assert_allclose(sums[0], terms[np.array(groups) == groups[0]].sum(axis=0))


@pytest.mark.parametrize("freedom", [1, 2, 4, 9, 23, 200])
def test_students_quantiles_are_scipys(freedom: int) -> None:
    for probability in (0.9, 0.95, 0.975, 0.995):
        expected = stats.t.ppf(probability, freedom)
        assert student_quantile(probability, freedom) == pytest.approx(expected, rel=0.01)


def test_few_speakers_widen_the_interval_more_than_many() -> None:
    """Eight observations alike to 0 and 1: Student's interval of the mean is what is to be met."""
    right = np.array([0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1])
    speakers = np.repeat(np.arange(12), 50)
    ours = bootstrap(ACCURACY, np.ones(600), np.repeat(right, 50), groups=speakers.tolist())
    half = stats.t.ppf(0.975, 11) * right.std(ddof=1) / np.sqrt(12)
    assert (ours.high - ours.low) / 2 == pytest.approx(half, rel=0.12)


def test_the_percentile_interval_is_moved_by_the_bias_and_not_beyond_its_resamples() -> None:
    values = np.r_[-9, np.linspace(-1, 1, 2001), 9]
    for bias in (-0.25, 0.0, 0.1):  # resamples around a figure of 0.5 that lie too low or too high
        low, high = percentile_interval(0.5 + bias + values, 0.5, 10_000, 0.95)
        assert (low, high) == pytest.approx((0.5 - 0.95, 0.5 + 0.95), abs=2e-3)
    assert percentile_interval(np.array([0.2, 0.9, 1.0]), 1.0, 100, 0.95)[1] == 1.0


def test_bca_agrees_with_scipys() -> None:
    random = np.random.default_rng(6)
    truth = np.zeros(60)
    predicted = (random.random(60) < 0.1).astype(float)
    ours = bootstrap(figures.MAE, truth, predicted, resamples=9000, method="bca")
    theirs = stats.bootstrap(
        (predicted,), np.mean, n_resamples=9000, method="BCa", rng=np.random.default_rng(7)
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.017)  # one item is 1/60


# ------------------------------------------------------------------------------------------------ other tests


def test_permutation_of_items_is_scipys() -> None:
    random = np.random.default_rng(4)
    truth = random.integers(4, size=150)
    before = np.where(random.random(150) < 0.5, truth, random.integers(4, size=150))
    after = np.where(random.random(150) < 0.12, truth, before)

    def gain(one: np.ndarray, other: np.ndarray) -> float:
        return metrics.macro_f1(truth, other.astype(int), 4) - metrics.macro_f1(truth, one.astype(int), 4)

    theirs = stats.permutation_test(
        (before, after),
        gain,
        permutation_type="samples",
        n_resamples=3000,
        vectorized=False,
        rng=np.random.default_rng(3),
    ).pvalue
    assert permutation_test(macro_f1(4), truth, before, after) == pytest.approx(theirs, abs=0.02)


def test_permutation_of_speakers_knows_how_few_they_are() -> None:
    """Better by far for each of four speakers: of 16 ways to exchange, 2 are as extreme."""
    speakers = np.repeat(np.arange(4), 100).tolist()
    truth, before, after = np.ones(400), np.zeros(400), np.ones(400)
    p = permutation_test(ACCURACY, truth, before, after, groups=speakers)
    assert p == pytest.approx(2 / 16, abs=0.015)
    assert permutation_test(ACCURACY, truth, before, after) < 0.001


def test_equal_systems_are_seldom_found_different() -> None:
    random = np.random.default_rng(8)
    found = {"bootstrap": 0, "permutation": 0, "mcnemar": 0}
    for trial in range(300):
        truth, (one, other) = np.zeros(200), (random.random((2, 200)) < 0.4).astype(float)
        options = {"resamples": 300, "seed": trial}
        found["bootstrap"] += paired_bootstrap(ACCURACY, truth, one, other, **options).p < 0.05
        found["permutation"] += permutation_test(ACCURACY, truth, one, other, **options) < 0.05
        found["mcnemar"] += mcnemar(truth, one, other).mid_p < 0.05
    assert all(3 <= count <= 30 for count in found.values()), found  # 15 expected, ± 4 deviations


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_by_its_definition(p: list[float]) -> None:
    corrected = holm(p)
    order = sorted(range(len(p)), key=lambda i: p[i])
    for rank, index in enumerate(order):
        steps = [(len(p) - r) * p[i] for r, i in enumerate(order[: rank + 1])]
        assert corrected[index] == pytest.approx(min(1.0, max(steps)), abs=1e-12)
    assert all(c >= before - 1e-12 for c, before in zip(corrected, p, strict=True))


def test_what_can_be_detected_is_detected_as_often_as_said() -> None:
    """A true difference of that size, found by a test at 5 % in four of five trials."""
    random = np.random.default_rng(9)
    error = 0.02
    found = np.abs(random.normal(detectable(error), error, size=20_000)) > stats.norm.ppf(0.975) * error
    assert found.mean() == pytest.approx(0.8, abs=0.01)
