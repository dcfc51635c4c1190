"""What may happen to speech between a mouth and a file, applied at random to training audio."""

import random
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE

ROOM_SHARE = 0.3  # of the clips get an artificial room
ROOM_SECONDS = (0.1, 0.8)  # time to decay by 60 dB
DIRECT_TO_REVERBERANT = (-3.0, 12.0)  # dB


class Augmentation:
    """Room, speed, pitch, equalisation, band limits, noise, codecs and gain; seeded per call.

    The same seed gives the same clip, whatever was augmented before: a resumed training sees what the
    uninterrupted one would have seen.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._chain = _chain()

    def __call__(self, samples: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
        """`(samples,)` to `(samples,)`, of another length where the speed was changed."""
        generator = np.random.default_rng(seed)
        samples = _room(samples, generator)
        state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002  audiomentations draws from the global generators
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                changed = self._chain(samples=samples, sample_rate=SAMPLE_RATE)
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)  # noqa: NPY002
        clipped: NDArray[np.float32] = np.clip(changed, -1.0, 1.0).astype(np.float32)
        return clipped


def _room(samples: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """Convolve with noise that decays exponentially, the simplest model of a room's late reflections."""
    from scipy.signal import fftconvolve

    if generator.random() >= ROOM_SHARE:
        return samples
    length = int(generator.uniform(*ROOM_SECONDS) * SAMPLE_RATE)
    tail = generator.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail *= 10 ** (-generator.uniform(*DIRECT_TO_REVERBERANT) / 20) / np.sqrt(np.sum(tail[1:] ** 2))
    tail[0] = 1.0
    return np.asarray(fftconvolve(samples, tail)[: len(samples)], dtype=np.float32)


def _chain() -> Any:
    import audiomentations as a

    voice = a.Compose(
        [
            a.TimeStretch(0.85, 1.2, leave_length_unchanged=False, p=0.5),
            a.PitchShift(-3, 3, p=0.5),  # semitones
        ],
        p=0.6,
    )
    bands = [
        a.LowPassFilter(2800, 7500, p=1),
        a.HighPassFilter(50, 500, p=1),
        a.BandPassFilter(300, 2500, p=1),
    ]
    damage = [
        a.Mp3Compression(8, 64, p=1),  # kbit/s
        a.BitCrush(7, 12, p=1),  # bits
        a.TanhDistortion(0.01, 0.4, p=1),
        a.ClippingDistortion(0, 20, p=1),  # percentile of the samples
    ]
    noise = [a.AddGaussianSNR(5, 40, p=1), a.AddColorNoise(5, 40, p=1)]  # dB
    return a.Compose(
        [
            voice,
            a.SevenBandParametricEQ(-12, 12, p=0.7),  # dB
            a.OneOf(bands, p=0.3),
            a.OneOf(noise, p=0.5),
            a.OneOf(damage, p=0.25),
            a.Gain(-30, 6, p=0.8),  # dB
        ]
    )
