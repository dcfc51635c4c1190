"""The quality of a voice: how clean its tone is, and how much of it lies high."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE
from emojudge.audio.levels import decibels
from emojudge.audio.pitch import HOP

FRAME = 1_200  # samples, 75 ms: four and a half periods at 60 Hz, as Boersma asks for
TRANSFORM = 2_048  # at least FRAME plus the longest lag, so that none wraps round; a power of two
BATCH = 128  # frames at a time: what fits a cache, whatever the length of the recording
LOW_BAND, HIGH_BAND = (50.0, 1_000.0), (1_000.0, 5_000.0)  # Hz
STRONGEST = 1.0 - 1e-6  # of a correlation: 60 dB, more than a recording's own noise lets through
SLIP = 0.03  # of the period, half a semitone: what a tracker may be off by
DEPTH = 16  # samples on both sides that a value between two samples is made of

# (taps, positions): a Hann-windowed sinc for every eighth of a sample from -1 to 1.
_DISTANCE = np.linspace(-1, 1, 17) - np.arange(-DEPTH, DEPTH + 1)[:, None]
_SINC = np.sinc(_DISTANCE) * np.square(np.cos(0.5 * np.pi * _DISTANCE / (DEPTH + 1)))


@dataclass(frozen=True)
class Quality:
    """The means over the voiced frames, both in dB."""

    harmonics_to_noise: float
    tilt: float


def voice_quality(samples: NDArray[np.float32], hz: NDArray[np.float64]) -> Quality | None:
    """The quality of the voiced frames of a recording `(samples,)`; None where none is voiced.

    Harmonics to noise: Boersma, "Accurate short-term analysis of the fundamental frequency and the
    harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17 (1993), equation 4: 10 log10 r / (1 - r)
    with r the autocorrelation at the period, of the windowed frame, divided by that of the window.

    Tilt: the energy of 1..5 kHz over that of 50..1000 Hz, the alpha ratio of Eyben et al., "The Geneva
    minimalistic acoustic parameter set (GeMAPS)", IEEE Transactions on Affective Computing 7 (2016), with the
    sign by which a sharper, tenser voice is higher.

    Args:
        samples: `(samples,)` at 16 kHz.
        hz: the pitch `(frames,)`, NaN where there is no voice.
    """
    voiced = np.flatnonzero(~np.isnan(hz))
    padded = np.pad(np.asarray(samples, dtype=np.float32), FRAME // 2)
    # Only frames that lie in the recording whole: a half empty one correlates less, whatever the voice.
    first, last = np.ceil(FRAME / 2 / HOP), (len(samples) - FRAME / 2) / HOP
    voiced = voiced[(voiced >= first) & (voiced <= last)]
    if not len(voiced):
        return None
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)
    parts = [voiced[at : at + BATCH] for at in range(0, len(voiced), BATCH)]
    found = np.concatenate([_frame_quality(frames[part * HOP], hz[part]) for part in parts], axis=1)
    return Quality(*(float(value) for value in found.mean(axis=1)))


def _frame_quality(frames: NDArray[np.float32], hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Harmonics to noise and tilt `(2, frames)` of frames `(frames, FRAME)` with their pitch."""
    window = np.hanning(FRAME + 2)[1:-1]
    centred = frames - frames.mean(axis=1, keepdims=True, dtype=np.float64)
    power = np.square(np.abs(np.fft.rfft(centred * window, TRANSFORM, axis=1)))
    own = np.fft.irfft(np.square(np.abs(np.fft.rfft(window, TRANSFORM))))
    correlation = np.fft.irfft(power, axis=1)
    correlation /= np.maximum(correlation[:, :1], np.finfo(np.float64).tiny)
    r = np.clip(_at_period(correlation[:, :FRAME] / (own[:FRAME] / own[0]), hz), 1e-6, STRONGEST)
    return np.stack([10.0 * np.log10(r / (1.0 - r)), _band(power, *HIGH_BAND) - _band(power, *LOW_BAND)])


def _at_period(correlation: NDArray[np.float64], hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """The correlation's peak `(frames,)` near the period, between samples by a windowed sinc."""
    rows = np.arange(len(hz))
    period = SAMPLE_RATE / hz
    nearest = np.rint(period).astype(int)
    reach = np.ceil(SLIP * period).astype(int)
    best = nearest.copy()
    for offset in range(-int(reach.max()), int(reach.max()) + 1):
        lag = np.where(np.abs(offset) <= reach, nearest + offset, nearest)
        best = np.where(correlation[rows, lag] > correlation[rows, best], lag, best)
    around = correlation[rows[:, None], best[:, None] + np.arange(-DEPTH, DEPTH + 1)]
    peaks: NDArray[np.float64] = (around @ _SINC).max(axis=1)
    return peaks


def _band(power: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """The level in dB `(frames,)` of a band of spectra `(frames, bins)`."""
    bins = np.arange(power.shape[1]) * SAMPLE_RATE / TRANSFORM
    chosen = power[:, (bins >= low) & (bins < high)].sum(axis=1)
    return decibels(chosen)
