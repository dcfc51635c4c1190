"""Recordings as they come, from a path, bytes, a file object or an array: opened safely, read block by block.

soundfile (libsndfile) is asked first, PyAV (FFmpeg; the extra `media`) for what libsndfile does not know.
What a file is, its bytes decide, never its name; how long it is, the decoded samples, never its header.
"""

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decoders import BLOCK, EXPECTED, FULL_SCALE, Recording, by_av, by_soundfile, scaled
from emojudge.audio.sniff import LIVE, sniff
from emojudge.errors import AudioError

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | NDArray[Any]

MIN_RATE, MAX_RATE = 4_000, 768_000  # Hz; below, no speech is left; above, a header is lying
HEAD_BYTES = 4_096  # enough to tell what a file is
SPOOL_BYTES = 16 * 2**20  # of a file object, what is kept in memory before it goes to a temporary file


@contextmanager
def opened(source: Source, rate: int | None, where: str, live: bool = False) -> Iterator[Recording]:
    """The recording behind `source`; `rate` (Hz) for arrays, and only for them.

    `live` for a file object whose bytes are still coming: it is read forward, and FFmpeg tells what it is.

    Raises AudioError for what is no recording, and MissingExtraError where only PyAV could read it.
    """
    if isinstance(source, np.ndarray):
        array = _from_array(source, rate, where)
        _check_rate(array, where)
        yield array
        return
    if rate is not None:
        raise AudioError(where, found=f"rate={rate}", expected="no rate: files state their own")
    with ExitStack() as stack:
        if live:
            recording = by_av(source, LIVE, where, stack, live)  # type: ignore[arg-type]
            _check_rate(recording, where)
            yield recording
            return
        handle = stack.enter_context(_handle(source, where))
        try:
            kind = sniff(handle.read(HEAD_BYTES))
        except OSError as error:  # a failing disk
            found = f"a file that cannot be read ({error.strerror})"
            raise AudioError(where, found=found, expected="an audio file") from None
        # Before any decoder sees it: libsndfile takes UTF-16 text for an MP3, and FFmpeg plays images.
        if not kind.may_be_audio:
            raise AudioError(where, found=kind.what, expected=EXPECTED, advice=kind.advice)
        recording = by_soundfile(handle, stack) or by_av(handle, kind, where, stack)
        _check_rate(recording, where)
        yield recording


def name_of(source: object) -> str:
    """What to call a source in errors: its path, or `<bytes>`, `<array>`, `<file object>`."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source) or "''"
    if isinstance(source, np.ndarray):
        return "<array>"
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and name else "<file object>"


def _check_rate(recording: Recording, where: str) -> None:
    if not MIN_RATE <= recording.rate <= MAX_RATE:
        raise AudioError(
            where,
            found=f"a sample rate of {recording.rate} Hz",
            expected=f"{MIN_RATE} to {MAX_RATE} Hz",
            advice="Check where the recording comes from; its header may be damaged.",
        )


def _handle(source: object, where: str) -> IO[bytes]:
    """A seekable binary file at its start; the caller closes it."""
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        return _open_path(source, where)
    if callable(getattr(source, "read", None)):
        return _spooled(source, where)  # type: ignore[arg-type]
    raise AudioError(
        where,
        found=f"a {type(source).__name__}",
        expected="a path, bytes, a file opened in binary mode, or a NumPy array with its rate",
    )


def _open_path(path: str | os.PathLike[str], where: str) -> IO[bytes]:
    try:
        if Path(path).is_dir():
            raise AudioError(
                where, found="a folder", expected="an audio file", advice="Name the files that are in it."
            )
        file = open(path, "rb", buffering=0)  # noqa: SIM115 - the caller closes it
        if not file.seekable():  # a pipe, such as bash's <(...)
            with file:
                return _spooled(file, where)
        return file
    except FileNotFoundError:
        advice = "Check the path." if "://" not in where else "Addresses are not fetched: download it first."
        raise AudioError(where, found="no such file", expected="an audio file", advice=advice) from None
    except (OSError, ValueError) as error:  # no permission, a name too long, a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(
            where, found=f"a file that cannot be opened ({reason})", expected="an audio file"
        ) from None


def _spooled(file: IO[bytes], where: str) -> IO[bytes]:
    """The rest of a file object, copied to where it can be read twice (decoders seek; sockets do not)."""
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - the caller closes it
    try:
        shutil.copyfileobj(file, spool)
    except (OSError, TypeError, ValueError) as error:  # a text file gives str, a closed file ValueError
        spool.close()
        raise AudioError(
            where,
            found=f"a file object that gives no bytes ({error})",
            expected="an open file in binary mode",
            advice='Open it with open(path, "rb").',
        ) from None
    spool.seek(0)
    return spool


def _from_array(array: NDArray[Any], rate: int | None, where: str) -> Recording:
    if rate is None:
        raise AudioError(
            where,
            found="an array without a rate",
            expected="its rate in Hz",
            advice="Call decode(array, rate=...).",
        )
    if array.dtype.kind not in "iuf":
        raise AudioError(
            where, found=f"an array of {array.dtype}", expected="integers or floating-point numbers"
        )
    shape = array.shape
    if len(shape) not in (1, 2) or 0 in shape or (len(shape) == 2 and shape[1] > shape[0]):
        raise AudioError(
            where,
            found=f"an array of shape {shape}",
            expected="(samples,) or (samples, channels)",
            advice="Transpose it if its channels come first.",
        )
    table = array.reshape(len(array), -1)
    full_scale = 127 / 128 if array.dtype.itemsize == 1 else FULL_SCALE
    blocks = (scaled(table[start : start + BLOCK]) for start in range(0, len(table), BLOCK))
    return Recording(rate, blocks, full_scale)
