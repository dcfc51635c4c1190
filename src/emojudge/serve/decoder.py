"""The process that decodes what strangers send: it can read the one open file it is given, and little else.

It gets file descriptors over a socket, never a path, and answers with samples. What a hostile recording can
do to it (memory, processor time, a crash of a codec) ends with it; see `decoding`, which starts and replaces
it.

Every message is a frame: a letter, a length of four bytes, a payload.
"""

import contextlib
import json
import os
import resource
import socket
import struct
import sys
from typing import IO, Any

FRAME = struct.Struct("<cI")
MEMORY = 1024 * 2**20  # bytes of addresses; with all libraries loaded a fifth of that is in use
CPU_SECONDS = 20.0  # for any recording, and on top of it:
CPU_SHARE = 0.05  # seconds for each second that the recording may last


def main() -> None:
    """Answer requests until the other side closes the socket."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    from emojudge.audio import decode

    with contextlib.suppress(ImportError):  # before the limits: the extra `media` may be missing
        import av

        av.logging.set_level(None)  # FFmpeg's messages quote the file, and stderr is the server's
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    send(connection, b"R", b"")
    while True:
        text, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)
        if not text:
            return
        _limit_processor(json.loads(text)["seconds"])
        with os.fdopen(descriptors[0], "rb", buffering=0) as file:
            _answer(connection, file, json.loads(text), decode)


def send(connection: socket.socket, letter: bytes, payload: bytes) -> None:
    """One frame."""
    connection.sendall(FRAME.pack(letter, len(payload)) + payload)


def _answer(connection: socket.socket, file: IO[bytes], asked: dict[str, Any], decode: Any) -> None:
    from emojudge.errors import AudioError, EmojudgeError, MissingExtraError

    name, most = "recording", asked["seconds"]
    try:
        if asked["live"]:
            blocks = decode.live(file, block_seconds=asked["block_seconds"], name=name)
        else:  # by its descriptor's name: a file that can seek, and is not copied
            file.seek(0)
            blocks = decode.stream(
                f"/dev/fd/{file.fileno()}", block_seconds=asked["block_seconds"], name=name
            )
        samples = 0
        for block in blocks:
            samples += len(block)
            if samples > most * decode.SAMPLE_RATE:
                raise AudioError(
                    name,
                    found=f"more than {most:g} s of audio",
                    expected=f"at most {most:g} s",
                    advice="Send it as a job, or in parts.",
                )
            send(connection, b"S", block.tobytes())
            if asked["beginning"]:
                break
        send(connection, b"E", json.dumps(list(blocks.notes)).encode())
    except MissingExtraError as error:
        _refuse(connection, "extra", error)
    except EmojudgeError as error:
        _refuse(connection, "audio", error)
    except (
        MemoryError,
        ValueError,
        OverflowError,
        RuntimeError,
    ) as error:  # what a damaged file does to codecs
        expected = "a recording that can be decoded within the server's limits"
        _refuse(
            connection,
            "audio",
            AudioError(
                name,
                found=f"a recording that no decoder can take ({type(error).__name__})",
                expected=expected,
            ),
        )


def _refuse(connection: socket.socket, kind: str, error: Any) -> None:
    told = {"kind": kind, "found": error.found, "expected": error.expected, "advice": error.advice}
    send(connection, b"X", json.dumps(told).encode())


def _limit_processor(seconds: float) -> None:
    """The processor time of this process so far, and what a recording of `seconds` may take."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(usage.ru_utime + usage.ru_stime + CPU_SECONDS + CPU_SHARE * seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main()
