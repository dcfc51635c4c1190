"""Unsupervised adaptation: pooled features of the files at hand, mapped onto those of the training split."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

PRIOR_COUNT = 10.0  # a group's statistics weigh as its size against this many items of the training split's


def adapt(
    embeddings: NDArray[np.float32],
    groups: Sequence[Hashable],
    mean: NDArray[np.floating],
    deviation: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Give every group of embeddings the training split's mean and deviation.

    Args:
        embeddings: `(items, features)`.
        groups: one key per item: a constant for one collection, or each item's speaker.
        mean, deviation: of the training split's embeddings, `(features,)`.

    What a channel, a room or a voice adds to every item of a group goes away; so does a difference in how
    often the emotions occur, so it suits groups that hold a mixture of emotions. Small groups are shrunk
    towards no change: one item alone stays nearly as it is.
    """
    adapted = np.empty_like(embeddings)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    keys = np.array([numbers[group] for group in groups])
    for number in numbers.values():
        members = keys == number
        items = embeddings[members].astype(np.float64)
        count = len(items)
        share = count / (count + PRIOR_COUNT)
        own_mean = share * items.mean(axis=0) + (1 - share) * mean
        own_variance = share * items.var(axis=0) + (1 - share) * np.square(deviation)
        adapted[members] = (items - own_mean) / np.sqrt(own_variance + 1e-8) * deviation + mean
    return adapted
