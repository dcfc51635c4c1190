"""Long recordings as windows that a model can take in one pass."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE

SHORTEST = SAMPLE_RATE  # samples: a last window under 1 s says little alone and joins the one before


def windows(blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Blocks `(samples,)` of a stream as they come, with a short last block joined to the one before.

    >>> [len(w) for w in windows([np.zeros(32_000), np.zeros(32_000), np.zeros(800)])]
    [32000, 32800]
    """
    held: NDArray[np.float32] | None = None
    for block in blocks:
        if held is None:
            held = block
        elif len(block) < SHORTEST:
            held = np.concatenate([held, block])
        else:
            yield held
            held = block
    if held is not None:
        yield held
