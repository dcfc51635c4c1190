"""Which items an epoch takes, and how little of its batches is padding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.training.batching import epoch_batches, padded_share, sorted_batches


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=60),
    whole=st.integers(0, 3),
    batch_size=st.integers(1, 9),
    seed=st.integers(0, 5),
    epoch=st.integers(0, 3),
)
def test_every_item_as_often_as_its_repeats_say(
    sizes: list[int], whole: int, batch_size: int, seed: int, epoch: int
):
    repeats = np.full(len(sizes), whole + 1.0)
    batches = epoch_batches(np.array(sizes), repeats, batch_size, seed, epoch)
    counts = np.bincount(np.concatenate(batches), minlength=len(sizes))
    assert (counts == whole + 1).all()
    assert all(0 < len(batch) <= batch_size for batch in batches)


def test_fractions_take_another_part_every_epoch():
    repeats = np.array([0.25] * 40 + [1.5] * 20 + [2.0] * 10)
    taken = np.zeros((200, 70), dtype=int)
    for epoch in range(200):
        batches = epoch_batches(np.ones(70, dtype=np.int64), repeats, 8, 3, epoch)
        taken[epoch] = np.bincount(np.concatenate(batches), minlength=70)
    assert set(taken[:, :40].sum(axis=1)) == {10}  # a quarter, in every epoch
    assert set(taken[:, 40:60].sum(axis=1)) == {30}
    assert set(np.unique(taken[:, 40:60])) == {1, 2}
    assert (taken[:, 60:] == 2).all()
    np.testing.assert_allclose(taken.mean(axis=0), repeats, atol=0.15)  # over epochs, each as often as others


def test_batches_depend_on_seed_and_epoch_alone():
    sizes = np.random.default_rng(0).integers(1, 1000, 300)
    repeats = np.full(300, 1.5)

    def flat(seed: int, epoch: int) -> list[int]:
        return np.concatenate(epoch_batches(sizes, repeats, 16, seed, epoch)).tolist()

    first = flat(7, 0)
    np.random.seed(5)  # noqa: NPY002  the global generator must not matter
    assert flat(7, 0) == first
    assert first not in (flat(7, 1), flat(8, 0))


def test_every_epoch_has_as_many_batches():
    sizes, repeats = np.arange(1, 402), np.array([0.3] * 200 + [1.0] * 201)
    assert len({len(epoch_batches(sizes, repeats, 4, 0, epoch)) for epoch in range(20)}) == 1


def test_little_is_padding_and_order_is_random():
    """Against batches drawn without regard to length, which waste over a third."""
    generator = np.random.default_rng(0)
    sizes = generator.lognormal(10, 0.6, 4000).astype(np.int64)
    batches = epoch_batches(sizes, np.ones(4000), 16, 0, 0)
    at_random = [generator.permutation(4000)[at : at + 16] for at in range(0, 4000, 16)]
    assert padded_share(sizes, at_random) > 0.35
    assert padded_share(sizes, batches) < 0.06
    lengths = np.array([sizes[batch].mean() for batch in batches])
    assert abs(np.corrcoef(lengths, np.arange(len(lengths)))[0, 1]) < 0.2  # no epoch from short to long
    before = {frozenset(batch.tolist()) for batch in batches}
    after = {frozenset(batch.tolist()) for batch in epoch_batches(sizes, np.ones(4000), 16, 0, 1)}
    assert len(before & after) < 5  # the items meet others in the next epoch


@settings(deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 9))
def test_sorted_batches_hold_all_once_longest_first(sizes: list[int], batch_size: int):
    batches = list(sorted_batches(np.array(sizes), batch_size))
    order = np.concatenate(batches)
    assert sorted(order.tolist()) == list(range(len(sizes)))
    assert np.array(sizes)[order].tolist() == sorted(sizes, reverse=True)
    assert all(len(batch) == batch_size for batch in batches[:-1])


def test_padded_share():
    assert padded_share(np.array([2, 4, 6]), [np.array([0, 1]), np.array([2])]) == pytest.approx(2 / 14)
    assert padded_share(np.array([5]), []) == 0.0
