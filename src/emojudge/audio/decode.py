"""Any recording as float32 mono at 16 kHz: whole (`decode`), or in blocks, in constant memory (`stream`)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import soxr
from numpy.typing import NDArray

from emojudge.audio.decoders import Recording
from emojudge.audio.source import Source, name_of, opened
from emojudge.errors import AudioError

SAMPLE_RATE = 16_000  # Hz, of everything from here on
MIN_SECONDS = 0.1  # the shortest usable recording
MAX_SECONDS = 4 * 3600.0  # the longest that decode() takes into memory (0.9 GB); stream() knows no limit
SILENCE_DBFS = -60.0  # a peak below this is noted as silence
LOUDEST = 2.0**31  # what is greater is no sample in any scale, and would overflow when channels are added
OVER_SCALE = 2.0  # floats above this (+6 dB) were scaled by somebody else's range; lossy codecs reach 1.2
TRUNCATED_SECONDS = 0.1  # codecs pad by up to 0.05 s; a header that promises more than this was cut off

Samples = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Audio:
    """A decoded recording."""

    samples: Samples  # (samples,), mono at SAMPLE_RATE, full scale 1.0
    seconds: float
    name: str
    notes: tuple[str, ...] = ()  # what a reader should know: clipped, silent, truncated ...


def decode(source: Source, *, rate: int | None = None, name: str | None = None) -> Audio:
    """The whole recording as float32 mono at 16 kHz.

    `source` is a path, bytes, a binary file object (read from where it stands, left open), or a NumPy array
    `(samples,)` or `(samples, channels)` with its `rate` in Hz. Integer arrays are divided by their dtype's
    range, so int16's -32768 becomes -1.0; floats are kept as they are. Channels are averaged; the rate is
    converted by soxr at high quality. `name` stands for the source in errors and in `Audio.name`.

    Raises AudioError for what is no recording, is shorter than MIN_SECONDS or longer than MAX_SECONDS, and
    MissingExtraError for M4A, MP4, WebM and AAC without the extra `media`. What is odd but usable
    (clipping, silence, NaN, a truncated file's beginning) is decoded and said in `notes`.

    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)
    >>> audio = decode(np.stack([tone, tone], axis=1), rate=44_100)
    >>> audio.seconds, audio.samples.shape, audio.samples.dtype, audio.notes
    (1.0, (16000,), dtype('float32'), ('mixed down from 2 channels',))
    """
    where = name or name_of(source)
    with opened(source, rate, where) as recording:
        meter = _Meter(recording, where)
        pieces = []
        for piece in _resampled(recording, meter):
            if meter.seconds > MAX_SECONDS:
                raise AudioError(
                    where,
                    found=f"more than {MAX_SECONDS / 3600:g} hours of audio",
                    expected="a recording that fits in memory",
                    advice="Read it block by block with emojudge.audio.decode.stream().",
                )
            pieces.append(piece)
        samples = np.concatenate(pieces)
        return Audio(samples, len(samples) / SAMPLE_RATE, where, meter.notes())


def stream(source: Source, *, block_seconds: float = 30.0, name: str | None = None) -> "Stream":
    """The recording in blocks `(samples,)` of `block_seconds`, the last one shorter, in constant memory.

    Joined, the blocks are what `decode` gives, without its limit of length. The file is opened at the first
    block; the same errors are raised, "too short" at the end. `Stream.notes` is there after the last block.
    """
    return Stream(source, block_seconds=block_seconds, name=name)


def live(file: IO[bytes], *, block_seconds: float, name: str | None = None) -> "Stream":
    """The same for a recording that is still being made: `file` gives what has come so far, and cannot seek.

    A microphone's WebM or Ogg, and whatever else tells what it is at its beginning. Needs the extra `media`.
    """
    return Stream(file, block_seconds=block_seconds, name=name, live=True)


class Stream(Iterator[Samples]):
    """An iterator over the blocks of a recording; see `stream`."""

    def __init__(self, source: Source, *, block_seconds: float, name: str | None, live: bool = False) -> None:
        if not 0 < block_seconds < math.inf:
            raise ValueError(f"block_seconds must be above 0, not {block_seconds}")
        self.name = name or name_of(source)
        self.notes: tuple[str, ...] = ()
        self._blocks = self._read(source, max(1, round(block_seconds * SAMPLE_RATE)), live)

    def __next__(self) -> Samples:
        return next(self._blocks)

    def _read(self, source: Source, size: int, live: bool) -> Iterator[Samples]:
        with opened(source, None, self.name, live) as recording:
            meter = _Meter(recording, self.name)
            yield from _rechunked(_resampled(recording, meter), size)
            self.notes = meter.notes()


def _resampled(recording: Recording, meter: "_Meter") -> Iterator[Samples]:
    """The recording in pieces `(samples,)` of mono at 16 kHz. Raises AudioError at the end if unusable."""
    if recording.rate == SAMPLE_RATE:
        for block in recording.blocks:
            yield meter.mono(block)
        meter.check()
        return
    resampler = soxr.ResampleStream(recording.rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    for block in recording.blocks:
        yield resampler.resample_chunk(meter.mono(block))
    meter.check()
    yield resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True)


def _rechunked(pieces: Iterator[Samples], size: int) -> Iterator[Samples]:
    """Pieces of any length as blocks of `size` samples, the last one shorter."""
    held: list[Samples] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        if count >= size:
            joined = np.concatenate(held)
            whole = count - count % size
            yield from (joined[start : start + size] for start in range(0, whole, size))
            held, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(held)


class _Meter:
    """Mixes blocks down and counts what the notes tell, block by block."""

    def __init__(self, recording: Recording, where: str) -> None:
        self.recording = recording
        self.where = where
        self.channels = 1
        self.frames = 0
        self.values = 0  # samples of all channels, and among them:
        self.not_numbers = 0
        self.at_full_scale = 0
        self.flat_tops = False  # several such in a row: a full-scale sine only touches the ceiling
        self.loudest = 0.0
        self.peak = 0.0  # after mixing down

    @property
    def seconds(self) -> float:
        return self.frames / self.recording.rate

    def mono(self, block: Samples) -> Samples:
        """Block `(frames, channels)` as the mean `(frames,)` of its channels, 0 for what is no number."""
        sizes = np.abs(block)
        bad = ~(sizes <= LOUDEST)
        if bad.any():
            self.not_numbers += int(bad.sum())
            block, sizes = np.where(bad, np.float32(0), block), np.where(bad, np.float32(0), sizes)
        full = sizes >= self.recording.full_scale
        self.at_full_scale += int(full.sum())
        self.flat_tops |= bool((full[2:] & full[1:-1] & full[:-2]).any())
        self.loudest = max(self.loudest, float(sizes.max(initial=0)))
        self.frames += len(block)
        self.values += block.size
        self.channels = max(self.channels, block.shape[1])
        mixed: Samples = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
        self.peak = max(self.peak, float(np.abs(mixed).max(initial=0)))
        return mixed

    def check(self) -> None:
        """Raises AudioError if what was decoded is too short, or holds no number."""
        if round(self.seconds, 3) < MIN_SECONDS:
            because = "".join(f" ({note})" for note in self._file_notes())
            raise AudioError(
                self.where,
                found=f"{self.seconds:.3f} s of audio{because}",
                expected=f"at least {MIN_SECONDS} s",
                advice="Give a longer recording; if this one should be longer, copy or export it again.",
            )
        if self.not_numbers == self.values:
            raise AudioError(
                self.where,
                found=f"{self.values} samples that are all NaN or infinite",
                expected="samples from -1 to 1",
                advice="Export the recording again.",
            )

    def notes(self) -> tuple[str, ...]:
        notes = self._file_notes()
        if self.channels > 1:
            notes.append(f"mixed down from {self.channels} channels")
        if self.recording.rate < SAMPLE_RATE:
            notes.append(f"upsampled from {self.recording.rate} Hz")
        if self.not_numbers:
            plural = "s" if self.not_numbers > 1 else ""
            notes.append(f"{self.not_numbers} NaN or infinite sample{plural} replaced by 0")
        if self.loudest > OVER_SCALE:
            notes.append(f"over scale: peak {self.loudest:.4g}, expected at most 1")
        elif self.flat_tops:
            notes.append(f"clipped: {100 * self.at_full_scale / self.values:.3g} % of samples at full scale")
        if self.peak == 0:
            notes.append("silent: every sample is 0")
        elif (dbfs := 20 * math.log10(self.peak)) < SILENCE_DBFS:
            notes.append(f"silent: peak {dbfs:.0f} dBFS")
        return tuple(notes)

    def _file_notes(self) -> list[str]:
        notes = list(self.recording.notes)
        declared = self.recording.declared
        if declared is not None and declared - self.seconds > TRUNCATED_SECONDS:
            notes.append(f"truncated: header says {declared:.1f} s, decoded {self.seconds:.1f} s")
        return notes
