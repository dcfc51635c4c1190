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


TRIM_FRAME = 400  # samples, 25 ms: what is loud or not
TRIM_MARGIN = 1_600  # samples, 0.1 s: soft beginnings and ends are kept


def trim(samples: NDArray[np.float32], below_db: float) -> NDArray[np.float32]:
    """Speech `(samples,)` without the quiet before and after it.

    Silence at the ends says nothing of an emotion, but much of how a corpus was cut. A frame counts as quiet
    when its power lies `below_db` dB or more under the loudest frame's; 0.1 s of quiet stays on both sides.

    >>> pause, tone = np.zeros(16_000, np.float32), np.ones(8_000, np.float32)
    >>> len(trim(np.concatenate([pause, tone, pause]), 30.0))
    11200
    """
    frames = len(samples) // TRIM_FRAME
    if frames == 0:
        return samples
    power = np.square(samples[: frames * TRIM_FRAME]).reshape(frames, TRIM_FRAME).mean(axis=1)
    loud = np.flatnonzero(power >= power.max() * 10 ** (-below_db / 10))
    if not len(loud):  # no numbers
        return samples
    start = max(0, int(loud[0]) * TRIM_FRAME - TRIM_MARGIN)
    return samples[start : (int(loud[-1]) + 1) * TRIM_FRAME + TRIM_MARGIN]
