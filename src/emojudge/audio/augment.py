"""What rooms and augmentation libraries do to samples: shared by training and by stress tests."""

import random
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE

Samples = NDArray[np.float32]


def reverberate(samples: Samples, noise: NDArray[np.float64], direct_to_reverberant: float) -> Samples:
    """Convolve with noise that decays exponentially, the simplest model of a room's late reflections.

    Args:
        samples: `(samples,)` at 16 kHz.
        noise: white, as long as the reflections take to decay by 60 dB.
        direct_to_reverberant: the energy of the direct sound over that of the reflections, in dB.
    """
    from scipy.signal import fftconvolve

    tail = noise * 10 ** (-3 * np.arange(len(noise)) / len(noise))
    tail *= 10 ** (-direct_to_reverberant / 20) / np.sqrt(np.sum(tail[1:] ** 2))
    tail[0] = 1.0
    return np.asarray(fftconvolve(samples, tail)[: len(samples)], dtype=np.float32)


def applied(transform: Callable[..., Any], samples: Samples, seed: int) -> Samples:
    """Samples through a transform of audiomentations, the same for the same seed, whatever was done before.

    audiomentations draws from Python's and numpy's global generators, which are left as they were.
    """
    state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(transform(samples=samples, sample_rate=SAMPLE_RATE), dtype=np.float32)
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)  # noqa: NPY002
