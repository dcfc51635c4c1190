"""How loud a recording is, frame by frame; where somebody speaks; where a syllable has its peak."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE, SILENCE_DBFS
from emojudge.audio.pitch import HOP, frame_count

FLOOR = 1e-10  # of power, -100 dB: below 16-bit audio's smallest step
SPEECH_DB = 25.0  # a frame this far under the loudest (99th percentile) is silent; de Jong & Wempe (2009)
DIP_DB = 2.0  # between two syllables the level falls by this much at least; the same
PAUSE_SECONDS = 0.25  # a shorter silence is a stop or a breath; de Jong & Bosker, DiSS 2013
NUCLEUS_HOPS = 8  # 128 ms, the window of Praat's intensity at a lowest pitch of 50 Hz, as they used it

Levels = NDArray[np.float64]
Frames = NDArray[np.bool_]


def frame_power(samples: NDArray[np.float32]) -> Levels:
    """Mean square `(frames,)` of the 32 ms around each frame's centre; full scale 1.0.

    The square root is librosa.feature.rms(frame_length=512, hop_length=256).
    """
    frames = frame_count(samples)
    whole = samples[: frames * HOP]
    if len(whole) < HOP:
        whole = np.pad(whole, (0, HOP - len(whole)))
    blocks = whole.reshape(frames, HOP)
    hops = np.einsum("fs,fs->f", blocks, blocks).astype(np.float64)
    power: Levels = (np.concatenate([[0.0], hops[:-1]]) + hops) / (2 * HOP)
    return power


def decibels(power: Levels) -> Levels:
    """Power as dB relative to full scale, 100 dB under it at the least."""
    return 10.0 * np.log10(np.maximum(power, FLOOR))


def sounding(levels: Levels) -> Frames:
    """Which frames `(frames,)` of levels in dB are loud enough for speech; none of a silent recording."""
    loudest = float(np.percentile(levels, 99))
    if loudest <= SILENCE_DBFS:
        return np.zeros(len(levels), dtype=np.bool_)
    return levels >= loudest - SPEECH_DB


def pauses(active: Frames) -> list[float]:
    """The lengths in seconds of the silences between the first and the last sound.

    >>> pauses(np.array([0, 1, *[0] * 25, 1, 0, 1, *[0] * 50], dtype=np.bool_))
    [0.4]
    """
    found = np.flatnonzero(active)
    gaps = (np.diff(found) - 1) * HOP / SAMPLE_RATE
    return [float(gap) for gap in gaps if gap >= PAUSE_SECONDS]


def syllable_nuclei(power: Levels, voiced: Frames) -> int:
    """How many syllables are heard, without knowing a word.

    De Jong and Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically",
    Behavior Research Methods 41 (2009): peaks of intensity that are loud enough, voiced, and followed by a
    dip of at least 2 dB.

    Args:
        power: mean square `(frames,)`, of `frame_power`.
        voiced: the frames that have a pitch.
    """
    window = np.hanning(NUCLEUS_HOPS + 1)
    levels = decibels(np.convolve(power, window / window.sum())[NUCLEUS_HOPS // 2 : -NUCLEUS_HOPS // 2])
    active = sounding(levels)
    inner = levels[1:-1]
    peaks = np.flatnonzero((inner > levels[:-2]) & (inner >= levels[2:]) & active[1:-1]) + 1
    bounds = [*peaks, len(levels)]
    return sum(
        bool(voiced[peak]) and levels[peak] - levels[peak:end].min() > DIP_DB
        for peak, end in pairwise(bounds)
    )
