"""Items of unequal length in batches, and what comes out back in the items' order."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def within_budget(sizes: Indices, budget: int) -> Iterator[Indices]:
    """Batches of similar length with at most `budget` padded positions each, longest items first.

    Args:
        sizes: length of each item `(items,)`. One that is longer than the budget is a batch of its own.

    >>> [batch.tolist() for batch in within_budget(np.array([2, 9, 3, 2]), 6)]
    [[1], [2, 0], [3]]
    """
    order = np.argsort(-sizes, kind="stable")
    at = 0
    while at < len(order):
        count = max(1, budget // int(sizes[order[at]]))
        yield order[at : at + count]
        at += count


def in_order(
    batches: Iterable[Indices], run: Callable[[Indices], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Run every batch, given as item indices; outputs `(items, outputs)` in the items' order."""
    done: list[Indices] = []
    outputs: list[NDArray[np.float32]] = []
    for batch in batches:
        done.append(batch)
        outputs.append(run(batch))
    together = np.concatenate(outputs)
    result = np.empty_like(together)
    result[np.concatenate(done)] = together
    return result
