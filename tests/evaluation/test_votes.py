"""Predictions against annotators who differ, against scipy and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import spatial, stats

from emojudge.evaluation.votes import (
    agreement,
    any_annotator_scores,
    js_divergences,
    kl_divergences,
    vote_shares,
)

rows = hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(5)), elements=st.floats(0.001, 1))


@settings(max_examples=50, deadline=None)
@given(rows, st.integers(0, 2**16))
def test_divergences_are_scipys(raw: np.ndarray, seed: int):
    scores = raw / raw.sum(axis=1, keepdims=True)
    votes = np.random.default_rng(seed).integers(0, 4, size=raw.shape)
    votes[:, 0] += votes.sum(axis=1) == 0
    shares = votes / votes.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        kl_divergences(votes, scores, 0.0), stats.entropy(shares, scores, axis=1), atol=1e-9
    )
    expected = spatial.distance.jensenshannon(shares, scores, base=2, axis=1) ** 2
    np.testing.assert_allclose(js_divergences(votes, scores), expected, atol=1e-9)


def test_a_score_of_zero_costs_much_but_not_everything():
    (cost,) = kl_divergences([[1, 1]], [[1.0, 0.0]])
    assert 5 < cost < 10
    assert js_divergences([[1, 1]], [[1.0, 0.0]])[0] < 1


def test_credit_for_any_label_and_for_its_share():
    votes = [[3, 2, 0], [3, 2, 0], [3, 2, 0]]
    assert any_annotator_scores(votes, [0, 1, 2]).tolist() == [1, 1, 0]
    assert vote_shares(votes, [0, 1, 2]).tolist() == [0.6, 0.4, 0]
    assert agreement(votes).tolist() == [0.6] * 3


@pytest.mark.parametrize("votes", [[[0, 0]], [[1, -1]], [[1, 1], [1, 1]], [1, 1]])
def test_items_without_votes_are_refused(votes):
    with pytest.raises(ValueError, match="vote"):
        any_annotator_scores(votes, [0])
    with pytest.raises(ValueError, match="vote"):
        kl_divergences(votes, [[0.5, 0.5]])


def test_classes_out_of_range_are_refused():
    with pytest.raises(ValueError, match="class indices"):
        any_annotator_scores([[1, 1]], [-1])
