"""Decoding in processes of their own, few in number, limited in memory and time, replaced when they fail."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE, Audio
from emojudge.errors import AudioError, MissingExtraError
from emojudge.serve.decoder import FRAME

BLOCK_SECONDS = 5.0  # of a recording that is decoded from a file
LIVE_SECONDS = 0.25  # of one that is still being made
PATIENCE = 30.0  # seconds that the process may take for one block
USES = 200  # recordings after which a process makes room for a fresh one, whatever its codecs leaked
MOST_FRAME = 2**26  # bytes; a decoder that was taken over may say anything

Samples = NDArray[np.float32]
_VARIABLES = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


class Decoders:
    """At most `size` recordings are decoded whole at a time; what is read block by block comes on top."""

    def __init__(self, size: int) -> None:
        self._idle: list[_Process] = []
        self._lock = threading.Lock()
        self._size = size
        self._places = threading.Semaphore(size)
        self._closed = False

    def decode(self, file: IO[bytes], name: str, most: float) -> Audio:
        """The whole of a recording of at most `most` seconds.

        Raises:
            AudioError: it is no recording, too long, or more than a decoder may be asked.
            MissingExtraError: only the extra `media` reads it.
        """
        reading = Reading(self, file, name, most)
        samples = [*reading]
        joined = np.concatenate(samples) if samples else np.empty(0, dtype=np.float32)
        return Audio(joined, len(joined) / SAMPLE_RATE, name, reading.notes)

    def check(self, file: IO[bytes], name: str) -> None:
        """Raises as `decode` does, where not even the beginning of a recording can be decoded."""
        for _ in Reading(self, file, name, BLOCK_SECONDS, beginning=True):
            pass

    def stream(self, file: IO[bytes], name: str, most: float) -> "Reading":
        """A recording block by block, decoded as it is asked for; raises as `decode` does."""
        return Reading(self, file, name, most, counted=False)

    def live(self, file: IO[bytes], name: str, most: float) -> "Reading":
        """A recording whose bytes are still coming, by a pipe or a socket; raises as `decode` does."""
        return Reading(self, file, name, most, counted=False, live=True)

    def warm(self) -> None:
        """Start the processes, so that the first recordings do not wait for them."""
        processes = [_Process() for _ in range(self._size)]
        for process in processes:
            process.wait()
        with self._lock:
            self._idle += processes

    def close(self) -> None:
        """End the processes that wait for work."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for process in idle:
            process.end()

    @contextlib.contextmanager
    def borrowed(self, counted: bool) -> Iterator["_Process"]:
        """A process, given back when it has said its last word on a recording, and ended otherwise."""
        with self._places if counted else contextlib.nullcontext():
            with self._lock:
                process = self._idle.pop() if self._idle else None
            process = process or _Process()
            try:
                yield process
            finally:
                process.uses += 1
                with self._lock:
                    keep = process.idle and counted and not (self._closed or process.uses >= USES)
                    if keep:
                        self._idle.append(process)
                if not keep:
                    process.end()


class Reading(Iterator[Samples]):
    """The blocks `(samples,)` of a recording, mono at 16 kHz; `notes` are there after the last."""

    def __init__(
        self,
        decoders: Decoders,
        file: IO[bytes],
        name: str,
        most: float,
        counted: bool = True,
        live: bool = False,
        beginning: bool = False,
    ) -> None:
        self.name = name
        self.notes: tuple[str, ...] = ()
        self.seconds = 0.0  # so far
        self._process: _Process | None = None
        asked = {
            "seconds": most,
            "live": live,
            "beginning": beginning,
            "block_seconds": LIVE_SECONDS if live else BLOCK_SECONDS,
        }
        self._blocks = self._read(decoders, file, asked, counted)

    def __next__(self) -> Samples:
        return next(self._blocks)

    def close(self) -> None:
        """Give up before the end: the process that decodes it is ended."""
        self._blocks.close()  # type: ignore[attr-defined]

    def stop(self) -> None:
        """The same from another thread than the one that reads, which then gets an AudioError."""
        if self._process is not None:
            self._process.interrupt()

    def _read(
        self, decoders: Decoders, file: IO[bytes], asked: dict[str, Any], counted: bool
    ) -> Iterator[Samples]:
        with decoders.borrowed(counted) as process:
            self._process = process
            process.ask(file.fileno(), asked, None if asked["live"] else PATIENCE)
            while True:
                try:
                    letter, payload = process.frame()
                except TimeoutError:
                    process.end()
                    raise self._too_much(f"more than {PATIENCE:g} s without a sample") from None
                except (EOFError, OSError):
                    raise self._too_much(process.why_it_ended()) from None
                if letter == b"S":
                    block = np.frombuffer(payload, dtype=np.float32)
                    self.seconds += len(block) / SAMPLE_RATE
                    yield block
                    continue
                process.idle = True
                if letter == b"E":
                    self.notes = tuple(json.loads(payload))
                    return
                self._raise(json.loads(payload))

    def _raise(self, told: dict[str, str]) -> None:
        if told["kind"] == "extra":
            raise MissingExtraError(f"{self.name} (its kind of recording)", "media")
        raise AudioError(self.name, found=told["found"], expected=told["expected"], advice=told["advice"])

    def _too_much(self, found: str) -> AudioError:
        return AudioError(
            self.name,
            found=f"a recording whose decoding was stopped: {found}",
            expected="one that is decoded within the server's limits of memory and time",
            advice="Export it again, as WAV or FLAC.",
        )


class _Process:
    """One decoder: `ask` it, then take its frames."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _VARIABLES if name in os.environ}  # and no token
        environment |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "emojudge.serve.decoder", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C for the server is not for it
            )
        self._socket = ours
        self._socket.settimeout(PATIENCE)
        self.uses = 0
        self.idle = True
        self._ready = False

    def wait(self) -> None:
        """Until it is ready for its first recording."""
        if not self._ready:
            self.frame()
            self._ready = True

    def ask(self, descriptor: int, asked: dict[str, Any], patience: float | None) -> None:
        """Hand over an open file, and how long to wait for each frame in seconds (None: for ever)."""
        self.wait()
        self._socket.settimeout(patience)
        self.idle = False
        socket.send_fds(self._socket, [json.dumps(asked).encode()], [descriptor])

    def frame(self) -> tuple[bytes, bytes]:
        """The next frame. Raises EOFError where the process is gone, TimeoutError where it is too slow."""
        letter, length = FRAME.unpack(self._exactly(FRAME.size))
        if length > MOST_FRAME:
            raise EOFError
        return letter, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        buffer = bytearray(count)
        view, at = memoryview(buffer), 0
        while at < count:
            got = self._socket.recv_into(view[at:])
            if not got:
                raise EOFError
            at += got
        return bytes(buffer)

    def why_it_ended(self) -> str:
        self.end()
        code = self._process.returncode
        if code == -signal.SIGXCPU:
            return "too much processor time"
        return f"the decoder ended ({signal.Signals(-code).name if code < 0 else f'code {code}'})"

    def interrupt(self) -> None:
        """End the process alone: whoever waits for its next frame hears of it."""
        self._process.kill()

    def end(self) -> None:
        """End it for good."""
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.05)  # it may have ended by itself, and then says why
        self._process.kill()
        self._process.wait()
