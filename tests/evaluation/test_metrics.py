"""Metrics against scikit-learn and by their properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from emojudge.evaluation.metrics import ccc, confusion, expected_calibration_error, macro_f1, uar

CLASSES = 8
pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=60)
values = st.floats(-7, 7, allow_subnormal=False)
columns = st.integers(2, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=values), hnp.arrays(np.float64, n, elements=values)
    )
)


@settings(max_examples=80, deadline=None)
@given(pairs)
def test_as_scikit_learn(items: list[tuple[int, int]]):
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs the extra 'train'")
    truth, predicted = zip(*items, strict=True)
    labels = range(CLASSES)
    np.testing.assert_array_equal(
        confusion(truth, predicted, CLASSES), sklearn.confusion_matrix(truth, predicted, labels=labels)
    )
    expected = sklearn.f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)
    assert macro_f1(truth, predicted, CLASSES) == pytest.approx(expected)
    recalls = sklearn.recall_score(
        truth, predicted, labels=sorted(set(truth)), average="macro", zero_division=0
    )
    assert uar(truth, predicted, CLASSES) == pytest.approx(recalls)


@settings(deadline=None)
@given(pairs, st.randoms(use_true_random=False))
def test_order_and_names_of_classes_do_not_matter(items: list[tuple[int, int]], random):
    truth, predicted = zip(*items, strict=True)
    shuffled = random.sample(items, len(items))
    names = random.sample(range(CLASSES), CLASSES)
    renamed = zip(*[(names[t], names[p]) for t, p in shuffled], strict=True)
    again_truth, again_predicted = renamed
    for metric in (macro_f1, uar):
        assert metric(again_truth, again_predicted, CLASSES) == pytest.approx(
            metric(truth, predicted, CLASSES)
        )
        assert 0 <= metric(truth, predicted, CLASSES) <= 1
    assert uar(truth, truth, CLASSES) == 1
    assert macro_f1(truth, truth, CLASSES) == pytest.approx(len(set(truth)) / CLASSES)


def test_a_class_that_is_missing_is_not_forgiven():
    assert macro_f1([0, 1], [0, 1], 2) == 1
    assert macro_f1([0, 1], [0, 1], 8) == 0.25
    assert uar([0, 1], [0, 1], 8) == 1


def by_definition(t: np.ndarray, p: np.ndarray) -> float:
    """2 ρ σ_t σ_p over σ_t² + σ_p² + (μ_t - μ_p)², moments of the population."""
    rho = np.corrcoef(t, p)[0, 1]
    return 2 * rho * t.std() * p.std() / (t.var() + p.var() + (t.mean() - p.mean()) ** 2)


@settings(deadline=None)
@given(columns)
def test_ccc_is_its_definition(pair: tuple[np.ndarray, np.ndarray]):
    t, p = pair
    value = ccc(t, p)
    assert -1 - 1e-9 <= value <= 1 + 1e-9
    assert ccc(p, t) == pytest.approx(value)
    if t.std() > 1e-3 and p.std() > 1e-3:
        assert value == pytest.approx(by_definition(t, p), abs=1e-6)


@settings(deadline=None)
@given(columns, st.floats(-3, 3), st.floats(0.1, 3))
def test_ccc_keeps_its_value_when_both_are_moved(
    pair: tuple[np.ndarray, np.ndarray], offset: float, scale: float
):
    t, p = pair
    if t.std() > 1e-3 or p.std() > 1e-3:
        assert ccc(offset + scale * t, offset + scale * p) == pytest.approx(ccc(t, p), abs=1e-6)


def test_ccc_punishes_what_correlation_forgives():
    t = np.array([1.0, 2.0, 4.0, 7.0])
    assert ccc(t, t) == 1
    assert ccc(t, -t + 2 * t.mean()) == pytest.approx(-1)
    assert 0 < ccc(t, t + 3) < 1
    assert 0 < ccc(t, 0.3 * t) < 1


@pytest.mark.parametrize("constant", [0.0, 0.1, 4.0, -1e6])
def test_ccc_of_constants(constant: float):
    varied = np.linspace(1, 7, 9)
    flat = np.full(9, constant)
    assert ccc(varied, flat) == pytest.approx(0, abs=1e-9)
    assert ccc(flat, varied) == pytest.approx(0, abs=1e-9)
    assert ccc(flat, flat) == 1
    assert ccc(flat, flat + 1) == pytest.approx(0, abs=1e-9)


def test_calibration_error_by_hand():
    scores = [[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.6, 0.4]]
    # In the bin of 0.9 both are right: 0.1 off; in that of 0.6 one of two: 0.1 off.
    assert expected_calibration_error([0, 0, 0, 1], scores, bins=10) == pytest.approx(0.1)
    assert expected_calibration_error([1, 1, 1, 1], scores, bins=10) == pytest.approx((0.9 + 0.6) / 2)
    assert expected_calibration_error([0, 1], [[1.0, 0.0], [1.0, 0.0]]) == pytest.approx(0.5)


def test_calibration_error_of_honest_scores_is_small():
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.ones(4), size=20_000)
    truth = (generator.random((20_000, 1)) > scores.cumsum(axis=1)).sum(axis=1)
    assert expected_calibration_error(truth, scores) < 0.015
    sharper = scores**3 / (scores**3).sum(axis=1, keepdims=True)
    assert expected_calibration_error(truth, sharper) > 0.1


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(4)), elements=st.floats(0.01, 1)),
    st.integers(1, 20),
)
def test_calibration_error_is_a_share(raw: np.ndarray, bins: int):
    scores = raw / raw.sum(axis=1, keepdims=True)
    truth = scores.argmin(axis=1)
    assert 0 <= expected_calibration_error(truth, scores, bins) <= 1
    if bins == 1:
        expected = abs((scores.argmax(axis=1) == truth).mean() - scores.max(axis=1).mean())
        assert expected_calibration_error(truth, scores, 1) == pytest.approx(expected)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: macro_f1([0, 1, 1], [1], 2),  # numpy would repeat the one
        lambda: uar([0], [0, 1], 2),
        lambda: ccc([1.0, 2.0, 3.0], [1.0]),
        lambda: ccc([[1.0, 2.0]], [[1.0, 2.0]]),
        lambda: ccc([], []),
        lambda: confusion([], [], 2),
        lambda: confusion([0, -1], [0, 0], 2),  # -1 would count as the last class
        lambda: confusion([0, 2], [0, 0], 2),
        lambda: expected_calibration_error([0, 1, 1], [[0.5, 0.5]]),
    ],
)
def test_what_does_not_go_together_is_refused(wrong):
    with pytest.raises(ValueError, match=r"shape|class indices"):
        wrong()
