"""Which items go into which batch: random, yet of similar length, and reproducible."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

POOL = 50  # batches that are sorted by length together: large enough for little padding, small for chance


def epoch_batches(
    sizes: NDArray[np.int64],
    repeats: NDArray[np.float64],
    batch_size: int,
    seed: int,
    epoch: int,
    strata: NDArray[np.int64] | None = None,
) -> list[NDArray[np.int64]]:
    """The training batches of one epoch, as arrays of item indices.

    Args:
        sizes: length of each item `(items,)`, in any unit.
        repeats: how often each item comes per epoch `(items,)`; 0.25 means every fourth epoch on average.
        batch_size: items per batch; the last one of a pool may be smaller.
        strata: a group of each item `(items,)`; fractions are drawn evenly within each. None: one group.
        seed, epoch: the batches depend on nothing else, so that a resumed epoch has the same ones.
    """
    generator = np.random.default_rng((seed, epoch))
    order = generator.permutation(
        _draw(repeats, generator, np.zeros_like(sizes) if strata is None else strata)
    )
    batches: list[NDArray[np.int64]] = []
    pool = POOL * batch_size
    for start in range(0, len(order), pool):
        items = order[start : start + pool]
        items = items[np.argsort(sizes[items], kind="stable")]
        batches += [items[at : at + batch_size] for at in range(0, len(items), batch_size)]
    return [batches[at] for at in generator.permutation(len(batches))]


def _draw(
    repeats: NDArray[np.float64], generator: np.random.Generator, strata: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Item indices, each as often as its repeats say; fractions are drawn evenly, not item by item."""
    whole = np.floor(repeats).astype(np.int64)
    items = [np.repeat(np.arange(len(repeats)), whole)]
    fractions = repeats - whole
    for fraction in np.unique(fractions[fractions > 0]):
        for stratum in np.unique(strata[fractions == fraction]):
            group = np.flatnonzero((fractions == fraction) & (strata == stratum))
            items.append(generator.choice(group, round(fraction * len(group)), replace=False))
    return np.concatenate(items)


def sorted_batches(sizes: NDArray[np.int64], batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Batches for evaluation: longest first, so that too little memory shows at once."""
    order = np.argsort(-sizes, kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def padded_share(sizes: NDArray[np.int64], batches: list[NDArray[np.int64]]) -> float:
    """Share of a padded batch's positions that hold no data, over all batches."""
    filled = sum(int(sizes[batch].sum()) for batch in batches)
    room = sum(int(sizes[batch].max()) * len(batch) for batch in batches)
    return 1.0 - filled / room if room else 0.0
