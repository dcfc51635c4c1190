"""Adaptation of pooled features to those of the training split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.fusion.adaptation import PRIOR_COUNT, adapt

MEAN = np.array([1.0, -2.0, 0.5])
DEVIATION = np.array([0.5, 2.0, 1.0])


def strange(items: int, seed: int = 0, offset: float = 4.0, scale: float = 3.0) -> np.ndarray:
    """Features of a channel that shifts and stretches them."""
    shape = np.random.default_rng(seed).normal(size=(items, 3))
    return (MEAN + offset + DEVIATION * scale * shape).astype(np.float32)


def test_a_large_group_gets_the_target_mean_and_deviation():
    adapted = adapt(strange(5000), ["all"] * 5000, MEAN, DEVIATION)
    np.testing.assert_allclose(adapted.mean(axis=0), MEAN, atol=0.02)
    np.testing.assert_allclose(adapted.std(axis=0), DEVIATION, rtol=0.01)
    assert adapted.dtype == np.float32


@pytest.mark.parametrize("items", [2, 10, 40, 400])
def test_mean_and_deviation_up_to_the_shrinkage(items: int):
    embeddings = strange(items).astype(np.float64)
    adapted = adapt(strange(items), [0] * items, MEAN, DEVIATION)
    share = items / (items + PRIOR_COUNT)
    assumed_variance = share * embeddings.var(axis=0) + (1 - share) * DEVIATION**2
    left = (1 - share) * (embeddings.mean(axis=0) - MEAN)  # of the offset, what the prior does not believe
    np.testing.assert_allclose(
        adapted.mean(axis=0), MEAN + left * DEVIATION / np.sqrt(assumed_variance), rtol=1e-3, atol=1e-3
    )
    np.testing.assert_allclose(
        adapted.std(axis=0), embeddings.std(axis=0) * DEVIATION / np.sqrt(assumed_variance), rtol=1e-3
    )


def test_one_item_stays_nearly_put():
    item = (MEAN + 1.5 * DEVIATION)[None].astype(np.float32)
    moved = adapt(item, ["one"], MEAN, DEVIATION) - item
    assert (np.abs(moved) < 0.08 * np.abs(item - MEAN)).all()
    at_the_mean = MEAN[None].astype(np.float32)
    np.testing.assert_allclose(adapt(at_the_mean, [1], MEAN, DEVIATION), at_the_mean, atol=1e-6)


def test_features_like_those_of_training_stay_put():
    embeddings = strange(3000, offset=0.0, scale=1.0)
    np.testing.assert_allclose(adapt(embeddings, [0] * 3000, MEAN, DEVIATION), embeddings, atol=0.25)


def test_groups_are_adapted_each_by_itself():
    one, other = strange(30, 1), strange(50, 2, offset=-7)
    together = adapt(np.concatenate([one, other]), ["a"] * 30 + ["b"] * 50, MEAN, DEVIATION)
    np.testing.assert_allclose(together[:30], adapt(one, ["x"] * 30, MEAN, DEVIATION), atol=1e-6)
    np.testing.assert_allclose(together[30:], adapt(other, ["x"] * 50, MEAN, DEVIATION), atol=1e-6)


@pytest.mark.parametrize(("one", "other"), [(-1, -2), ("", None), (1, "1"), (0, 2**61 - 1)])
def test_keys_are_told_apart_by_what_they_are(one, other):
    """Python gives -1 and -2 the same hash, and 0 and 2⁶¹ - 1."""
    embeddings = np.concatenate([strange(20, 1, offset=9), strange(20, 2, offset=-9)])
    adapted = adapt(embeddings, [one] * 20 + [other] * 20, MEAN, DEVIATION)
    expected = adapt(embeddings, ["a"] * 20 + ["b"] * 20, MEAN, DEVIATION)
    np.testing.assert_array_equal(adapted, expected)


@settings(max_examples=40, deadline=None)
@given(groups=st.lists(st.sampled_from("abc"), min_size=1, max_size=20), seed=st.integers(0, 99))
def test_order_does_not_matter(groups: list[str], seed: int):
    embeddings = strange(len(groups), seed)
    order = np.random.default_rng(seed).permutation(len(groups))
    shuffled = adapt(embeddings[order], [groups[i] for i in order], MEAN, DEVIATION)
    np.testing.assert_allclose(shuffled, adapt(embeddings, groups, MEAN, DEVIATION)[order], atol=1e-5)


def test_constant_features_stay_numbers():
    embeddings = np.ones((50, 3), dtype=np.float32)
    adapted = adapt(embeddings, [0] * 50, MEAN, np.array([0.0, 1.0, 1.0]))
    assert np.isfinite(adapted).all()
    assert adapted[0, 0] == pytest.approx(MEAN[0])
