"""A recording for a page: how loud it is along the way, and the sound itself, compressed."""

import base64
import io
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import soundfile

from emojudge.audio.decode import SAMPLE_RATE, Samples

PEAK = SAMPLE_RATE // 100  # samples, 10 ms: of each, the loudest is kept
MOST_PEAKS = 36_000  # of a page; longer recordings are drawn by longer stretches
MOST_BYTES = 24 * 2**20  # of compressed sound that goes into a page, some two hours; else it stays beside it
SLICE = 10 * SAMPLE_RATE  # samples; libsndfile's encoders take stack by what they are given at once


@dataclass(frozen=True)
class Sounded:
    """What a page draws and plays."""

    peaks: bytes  # one byte each: the loudest sample's size, 255 for full scale
    peaks_per_second: float
    ogg: str | None  # Ogg Vorbis as base64; None: not asked for, or too long for a page


class Sound:
    """Takes a recording's blocks as they are decoded, in memory that is bounded.

    Use it as a context; call it with each block `(samples,)`, mono at 16 kHz; then `finish`.

    >>> with Sound() as sound:
    ...     sound(0.5 * np.ones(32_000, np.float32))
    ...     made = sound.finish()
    >>> len(made.peaks), made.peaks[0], made.peaks_per_second
    (200, 128, 100.0)

    Args:
        keep: the sound itself as well.
    """

    def __init__(self, *, keep: bool = True) -> None:
        self._peaks = bytearray()
        self._rest = np.empty(0, np.float32)
        self._memory = io.BytesIO() if keep else None
        self._file: soundfile.SoundFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def __call__(self, samples: Samples) -> None:
        held = np.concatenate([self._rest, samples])
        whole = len(held) - len(held) % PEAK
        self._add(held[:whole])
        self._rest = held[whole:]
        for start in range(0, len(samples), SLICE):
            self._encode(samples[start : start + SLICE])

    def finish(self) -> Sounded:
        """What there is when the recording has ended."""
        self._add(np.pad(self._rest, (0, -len(self._rest) % PEAK)))
        self._rest = np.empty(0, np.float32)
        if self._file is not None:
            self._file.close()
        ogg = None
        if self._memory is not None and self._file is not None:
            ogg = base64.b64encode(self._memory.getbuffer()).decode()
        peaks = np.frombuffer(bytes(self._peaks), np.uint8)
        step = -(-len(peaks) // MOST_PEAKS) or 1
        fewer = np.pad(peaks, (0, -len(peaks) % step)).reshape(-1, step).max(axis=1)
        return Sounded(fewer.tobytes(), SAMPLE_RATE / PEAK / step, ogg)

    def _add(self, samples: Samples) -> None:
        loudest = np.abs(samples.reshape(-1, PEAK)).max(axis=1, initial=0)
        self._peaks += np.rint(255 * np.minimum(loudest, 1)).astype(np.uint8).tobytes()

    def _encode(self, samples: Samples) -> None:
        if self._memory is None:
            return
        if self._file is None:
            # Vorbis: Opus takes fifteen times as long here, and MP3 may begin 0.07 s late. About 26 kbit/s.
            self._file = soundfile.SoundFile(
                self._memory, "w", SAMPLE_RATE, 1, format="OGG", subtype="VORBIS", compression_level=0.8
            )
        self._file.write(samples)
        if self._memory.tell() > MOST_BYTES:
            self._file.close()
            self._memory = None
