"""The two decoders, block by block: soundfile (libsndfile), and PyAV (FFmpeg) from the extra `media`."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from emojudge.audio.sniff import Kind
from emojudge.errors import AudioError, MissingExtraError

EXPECTED = "a recording (WAV, FLAC, OGG, Opus, MP3, AIFF, M4A, MP4, WebM or AAC)"
BLOCK = 4_096  # frames per block; a decoder that fails in the middle of a file loses at most one
PLACEHOLDER_BYTES = 0x7FFF_0000  # data lengths from here on are what a program writes that does not know yet
UNKNOWN_FRAMES = 2**62  # from here on, libsndfile's count says that it does not know
FARTHEST = 2**40  # bytes; a decoder that seeks beyond believes a damaged header
OGG_PAGE_BYTES = 65_307  # the largest Ogg page there can be (RFC 3533)

# The value that counts as full scale: just under the largest that the encoding can hold (16 bit and more
# come within 0.0001 of 1; 8 bit, and the telephone's G.711 companding, stop earlier).
FULL_SCALE = 0.9999
_FULL_SCALE_OF = {"PCM_U8": 127 / 128, "PCM_S8": 127 / 128, "ULAW": 0.98, "ALAW": 0.984}

# FFmpeg opens what is in this list and nothing else: playlists and session descriptions (HLS, concat,
# DASH, SDP ...) would have it fetch addresses and read files that a hostile recording names.
_AV_OPTIONS = {
    "format_whitelist": "aac,ac3,eac3,aiff,amr,amrnb,amrwb,ape,asf,avi,au,caf,flac,flv,matroska,webm,mov,mp4,"
    "m4a,3gp,mp3,mpeg,mpegts,ogg,tta,w64,wav,wv",
    "protocol_whitelist": "none",
}


@dataclass
class Recording:
    """An opened recording; `blocks` gives float32 `(frames, channels)` at full scale 1.0."""

    rate: int  # Hz
    blocks: Iterator[NDArray[np.float32]]
    full_scale: float = FULL_SCALE
    declared: float | None = None  # seconds, as the header has it
    notes: list[str] = field(default_factory=list)  # what the decoder met; complete after the last block
    channels: int | None = None  # None, as the next: only decoding tells
    frames: int | None = None  # samples per channel that are there, by the file's length


class _Plain:
    """A file for a decoder: without a name to guess from, and failing softly at a seek to nowhere."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read, self.tell, self._file = file.read, file.tell, file

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if offset > FARTHEST:  # memory would allow it and disks would not, and the same bytes differ
            return -1
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):  # before the start
            return -1


class _Forward(soundfile.SoundFile):
    """A sound file read from start to end.

    soundfile seeks to where it already is after every read; in an MP3 that drops the bit reservoir and
    with it the sound around every seam. What cannot seek is spared that. (And SoundFile.blocks() fills up
    what a truncated file lacks with whatever is in memory.)
    """

    def seekable(self) -> bool:
        return False


def by_soundfile(handle: IO[bytes], stack: ExitStack) -> Recording | None:
    """The recording by libsndfile; None for what it does not know."""
    notes = ["truncated: the OGG stream has no end"] if _lacks_ogg_end(handle) else []
    handle.seek(0)
    try:  # a file's descriptor is read without Python in between; its name is not looked at
        target = handle.fileno() if isinstance(handle, io.FileIO) else _Plain(handle)
        file = stack.enter_context(_Forward(target, closefd=False))
    except soundfile.SoundFileError:
        return None
    full_scale = _FULL_SCALE_OF.get(file.subtype, FULL_SCALE)
    blocks, declared = _soundfile_blocks(file, notes), _declared(file)
    frames = file.frames if file.frames < UNKNOWN_FRAMES else None
    return Recording(file.samplerate, blocks, full_scale, declared, notes, file.channels, frames)


def _soundfile_blocks(file: _Forward, notes: list[str]) -> Iterator[NDArray[np.float32]]:
    frames = 0
    while True:
        try:
            block = file.read(BLOCK, dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            notes.append(f"damaged: decoding stopped at {frames / file.samplerate:.1f} s")
            return
        if not len(block):
            return
        frames += len(block)
        yield block


def _declared(file: _Forward) -> float | None:
    """Seconds that the header promises; libsndfile corrects its own count, but its log keeps the header's."""
    if not 0 < file.frames < UNKNOWN_FRAMES:
        return None
    declared = float(file.frames)
    if cut := re.search(r"^\s*(?:data|SSND) : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE):
        promised, present = int(cut[1]), int(cut[2])
        if promised >= PLACEHOLDER_BYTES:
            return None
        declared *= promised / max(present, 1)
    return declared / file.samplerate if file.samplerate > 0 else None


def _lacks_ogg_end(handle: IO[bytes]) -> bool:
    """Whether an Ogg file's last page is cut off or not marked as the last (its header has no length)."""
    handle.seek(0)
    if handle.read(4) != b"OggS":
        return False
    handle.seek(-min(handle.seek(0, os.SEEK_END), OGG_PAGE_BYTES), os.SEEK_END)
    tail = handle.read(OGG_PAGE_BYTES)
    page = tail[
        max(tail.rfind(b"OggS"), 0) :
    ]  # RFC 3533: flags at 5, a count at 26 of the lengths from 27 on
    if len(page) < 27 or not page[5] & 4:
        return True
    lengths = page[27 : 27 + page[26]]
    return len(page) < 27 + page[26] + sum(lengths)


class _Live:
    """A file for a decoder that cannot go back, as its bytes are still coming."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read = file.read


def by_av(handle: IO[bytes], kind: Kind, where: str, stack: ExitStack, live: bool = False) -> Recording:
    """The recording by FFmpeg. Raises AudioError for what it does not know either."""
    unreadable = AudioError(where, found=kind.unreadable, expected=EXPECTED, advice=kind.advice)
    try:
        import av
    except ImportError:
        if kind.needs_av:
            raise MissingExtraError(f"{where} ({kind.what})", "media") from None
        raise unreadable from None
    if not live:
        handle.seek(0)
    try:
        file = _Live(handle) if live else _Plain(handle)
        container: Any = stack.enter_context(av.open(file, metadata_errors="ignore", options=_AV_OPTIONS))
    except av.FFmpegError:
        raise unreadable from None
    stream: Any = container.streams.best("audio")
    if stream is None:
        raise AudioError(
            where,
            found=f"{kind.what} without a sound track",
            expected=EXPECTED,
            advice="Give a recording with sound.",
        )
    if stream.codec_context is None:
        raise unreadable
    rate = stream.codec_context.sample_rate
    declared = None
    if container.format.name.startswith(("mov", "matroska")):  # elsewhere FFmpeg guesses it from the bit rate
        if stream.duration:
            declared = float(stream.duration * stream.time_base)
        elif container.duration and len(container.streams) == 1:
            declared = container.duration / av.time_base
    notes: list[str] = []
    return Recording(rate, _av_blocks(container, stream, notes), declared=declared, notes=notes)


def _av_blocks(container: Any, stream: Any, notes: list[str]) -> Iterator[NDArray[np.float32]]:
    from av import FFmpegError

    rate, frames, lost = stream.codec_context.sample_rate, 0, 0
    try:
        for packet in container.demux(stream):
            try:
                decoded = packet.decode()
            except FFmpegError:
                lost += 1
                continue
            for frame in decoded:
                if frame.sample_rate != rate:
                    notes.append(f"damaged: the sample rate changes at {frames / max(rate, 1):.1f} s")
                    return
                values = frame.to_ndarray()  # (channels, frames), or (1, frames * channels) if interleaved
                planar = frame.format.is_planar
                frames += frame.samples
                yield scaled(values.T if planar else values.reshape(-1, frame.layout.nb_channels))
    except (FFmpegError, ValueError):  # PyAV has no array for some sample formats, such as 64-bit integers
        notes.append(f"damaged: decoding stopped at {frames / max(rate, 1):.1f} s")
    finally:
        if lost:
            notes.append(f"damaged: {lost} packet{'s' if lost > 1 else ''} could not be decoded")


def scaled(values: NDArray[Any]) -> NDArray[np.float32]:
    """Values as float32 at full scale 1.0: integers are divided by their dtype's range, floats are kept.

    >>> scaled(np.array([-32768, 0, 16384], dtype=np.int16)).tolist()
    [-1.0, 0.0, 0.5]
    >>> scaled(np.array([0, 128, 192], dtype=np.uint8)).tolist()
    [-1.0, 0.0, 0.5]
    """
    if np.issubdtype(values.dtype, np.integer):
        half = 2.0 ** (8 * values.dtype.itemsize - 1)
        shift = half if np.issubdtype(values.dtype, np.unsignedinteger) else 0.0
        return ((values.astype(np.float64) - shift) / half).astype(np.float32)
    with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite, and is then dealt with
        return values.astype(np.float32)
