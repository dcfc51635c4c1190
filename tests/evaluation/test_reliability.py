"""Calibration against torchmetrics, scikit-learn and what can be calculated by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from emojudge.evaluation.reliability import (
    adaptive_calibration_error,
    brier_score,
    expected_calibration_error,
    reliability,
)

weights = hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.just(4)), elements=st.floats(0.01, 1))


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
@given(weights, st.integers(1, 20))
def test_calibration_error_is_a_share(raw: np.ndarray, bins: int):
    scores = raw / raw.sum(axis=1, keepdims=True)
    truth = scores.argmin(axis=1)
    assert 0 <= expected_calibration_error(truth, scores, bins) <= 1
    if bins == 1:
        expected = abs((scores.argmax(axis=1) == truth).mean() - scores.max(axis=1).mean())
        assert expected_calibration_error(truth, scores, 1) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(weights, st.integers(0, 2**16), st.integers(1, 20))
def test_as_the_libraries(raw: np.ndarray, seed: int, bins: int):
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    metrics = pytest.importorskip("torchmetrics.functional.classification", reason="needs the extra 'dev'")
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs the extra 'train'")
    scores = raw / raw.sum(axis=1, keepdims=True)
    truth = np.random.default_rng(seed).integers(4, size=len(scores))
    edges = np.linspace(0, 1, bins + 1)
    if np.abs(scores.max(axis=1)[:, None] - edges).min() > 1e-6:  # at an edge their bins are closed below
        theirs = metrics.multiclass_calibration_error(
            torch.tensor(scores), torch.tensor(truth), 4, n_bins=bins, norm="l1"
        )
        assert expected_calibration_error(truth, scores, bins) == pytest.approx(float(theirs), abs=1e-6)
    expected = sklearn.brier_score_loss(truth, scores, labels=range(4), scale_by_half=False)
    assert brier_score(truth, scores) == pytest.approx(expected)


def test_adaptive_bins_hold_equally_many():
    confidence = np.array([0.5, 0.6, 0.7, 0.8])
    scores = np.stack([confidence, 1 - confidence], axis=1)
    # Two bins: {.5, .6} with one right, {.7, .8} with both right.
    expected = (abs(1 - 1.1) + abs(2 - 1.5)) / 4
    assert adaptive_calibration_error([0, 1, 0, 0], scores, bins=2) == pytest.approx(expected)
    assert adaptive_calibration_error([0, 1, 0, 0], scores, bins=100) == pytest.approx(
        (0.5 + 0.6 + 0.3 + 0.2) / 4
    )


def test_diagram_holds_every_item_once_and_gives_the_error():
    random = np.random.default_rng(1)
    scores = random.dirichlet(np.ones(8), size=500)
    truth = random.integers(8, size=500)
    bins = reliability(truth, scores, bins=10)
    assert sum(each.items for each in bins) == 500
    error = sum(each.items * abs(each.accuracy - each.confidence) for each in bins if each.items) / 500
    assert error == pytest.approx(expected_calibration_error(truth, scores, bins=10))
    assert np.isnan(bins[0].accuracy)  # the winner of eight has 1/8 at least


@pytest.mark.parametrize(
    ("truth", "scores"),
    [([0, 1, 1], [[0.5, 0.5]]), ([2], [[0.5, 0.5]]), ([0], [0.5]), ([-1], [[0.5, 0.5]])],
)
def test_what_does_not_go_together_is_refused(truth, scores):
    for metric in (expected_calibration_error, adaptive_calibration_error, brier_score, reliability):
        with pytest.raises(ValueError, match=r"shape|class indices"):
            metric(truth, scores)
