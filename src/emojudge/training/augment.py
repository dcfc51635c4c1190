"""What may happen to speech between a mouth and a file, applied at random to training audio."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.augment import applied, reverberate
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
        changed = applied(self._chain, samples, seed)
        clipped: NDArray[np.float32] = np.clip(changed, -1.0, 1.0).astype(np.float32)
        return clipped


def _room(samples: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    if generator.random() >= ROOM_SHARE:
        return samples
    noise = generator.standard_normal(int(generator.uniform(*ROOM_SECONDS) * SAMPLE_RATE))
    return reverberate(samples, noise, generator.uniform(*DIRECT_TO_REVERBERANT))


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
