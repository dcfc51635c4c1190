"""The pitch of a voice, frame by frame: swift-f0 by default, librosa's pYIN as in the paper."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE
from emojudge.errors import AudioError, MissingExtraError

if TYPE_CHECKING:
    from swift_f0 import SwiftF0

HOP = 256  # samples, 16 ms: the step of all frames here; frame i is centred on sample i * HOP
LOWEST, HIGHEST = 60.0, 800.0  # Hz: from low men's voices to cries; beyond lie most octave errors
VOICED = 0.5  # swift-f0's confidence from which a frame counts as voiced, as its authors calibrated it
PEAK = 0.5  # what a recording's peak is brought to before swift-f0, which does not regard levels itself
PYIN_FRAME = 1_024  # samples, 64 ms: nearly four periods of the lowest pitch


@dataclass(frozen=True, eq=False)
class Pitch:
    """A pitch contour."""

    hz: NDArray[np.float64]  # (frames,), NaN where there is no voice
    extractor: str  # the tracker and its version


def track_pitch(samples: NDArray[np.float32], tracker: str = "swift-f0") -> Pitch:
    """The pitch of a recording `(samples,)` at 16 kHz, between LOWEST and HIGHEST, every HOP samples.

    "swift-f0" is the tracker of Nieradzik (arXiv:2508.18440). "librosa" is pYIN, of Mauch and Dixon (ICASSP
    2014), as librosa has it, which the paper used; it takes many times as long.

    Raises:
        AudioError: an unknown tracker.
        MissingExtraError: the tracker's package is not installed.
    """
    if tracker not in TRACKERS:
        raise AudioError("pitch tracker", found=repr(tracker), expected=" or ".join(TRACKERS))
    return TRACKERS[tracker](samples)


def frame_count(samples: NDArray[np.float32]) -> int:
    """The number of frames of a recording `(samples,)`: at least one."""
    return max(1, len(samples) // HOP)


def _swift(samples: NDArray[np.float32]) -> Pitch:
    peak = float(np.abs(samples).max(initial=0.0))
    hz = np.full(frame_count(samples), np.nan)
    detector, name = _detector()
    if peak > 0:
        found = detector.detect(samples * np.float32(PEAK / peak), SAMPLE_RATE, fmin=LOWEST, fmax=HIGHEST)
        voiced = found.confidence >= VOICED
        hz[voiced] = found.pitch_hz[voiced]
    return Pitch(hz, name)


@cache
def _detector() -> "tuple[SwiftF0, str]":
    """The loaded model, and its name and version."""
    try:
        from swift_f0 import SwiftF0
    except ModuleNotFoundError:
        raise MissingExtraError("measuring the voice", "judge") from None
    # One thread: the model is small, and who wants more speed measures several recordings at once.
    return SwiftF0(threads=1, spin=False), f"swift-f0 {version('swift-f0')}"


def _pyin(samples: NDArray[np.float32]) -> Pitch:
    try:
        import librosa
    except ModuleNotFoundError:
        raise MissingExtraError("pitch by librosa", "paper") from None
    hz, _, _ = librosa.pyin(
        samples, fmin=LOWEST, fmax=HIGHEST, sr=SAMPLE_RATE, frame_length=PYIN_FRAME, hop_length=HOP
    )
    return Pitch(
        np.asarray(hz, dtype=np.float64)[: frame_count(samples)], f"librosa.pyin {version('librosa')}"
    )


TRACKERS: dict[str, Callable[[NDArray[np.float32]], Pitch]] = {"swift-f0": _swift, "librosa": _pyin}
