"""A server from its options to its end: the folder it owns, the socket, the signals."""

import contextlib
import fcntl
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from emojudge.errors import EmojudgeError
from emojudge.judge.judging import Judge
from emojudge.recognizer import Recognizer
from emojudge.serve.app import make_app
from emojudge.serve.live import MESSAGE_BYTES
from emojudge.serve.settings import Settings

GRACE = 20  # seconds for requests under way, when the server is asked to end


def serve(settings: Settings, recognizer: Recognizer, judge: Judge | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C. One line on stderr says where.

    Raises:
        EmojudgeError: an address in use, a folder that another server owns or that cannot be written in.
    """
    with _owned(settings.data), _spool(), _bound(settings) as listening:
        app = make_app(settings, recognizer, judge)
        config = uvicorn.Config(
            app,
            log_level="warning",  # who asked for what is in the audit log
            access_log=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=MESSAGE_BYTES,
            timeout_graceful_shutdown=GRACE,
            # A proxy before the server says who the client is, if its address is in FORWARDED_ALLOW_IPS.
            proxy_headers="FORWARDED_ALLOW_IPS" in os.environ,
            lifespan="on",
        )
        # uvicorn repeats the signal that ended it: not before the folder of uploads is gone.
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            _Server(config).run(sockets=[listening])
        finally:
            signal.signal(signal.SIGTERM, before)


class _Server(uvicorn.Server):
    """Says where it listens, when it does: with `--port 0` nobody else knows."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            place = f"[{host}]" if ":" in host else host
            sys.stderr.write(f"emojudge: serving on http://{place}:{port}\n")
            sys.stderr.flush()


@contextlib.contextmanager
def _owned(folder: Path) -> Iterator[None]:
    """The folder of a server's data, which no other server uses at the same time."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise EmojudgeError(folder, found=str(error), expected="a folder to write in") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise EmojudgeError(
            folder,
            found="another server's data",
            expected="a folder of this server's own",
            advice="Give another one with --data-dir.",
        ) from None
    finally:
        os.close(lock)


@contextlib.contextmanager
def _spool() -> Iterator[None]:
    """A private folder for uploads. The files in it have no name: the system frees them, whatever happens."""
    with tempfile.TemporaryDirectory(prefix="emojudge-serve-") as folder:
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield
        finally:
            tempfile.tempdir = before


@contextlib.contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise EmojudgeError(f"--host {settings.host}", found=str(error), expected="an address") from None
    with listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(address)
            listening.listen(1024)
        except OSError as error:
            raise EmojudgeError(
                f"{settings.host}:{settings.port}",
                found=error.strerror or str(error),
                expected="an address to listen on",
                advice="Give another --port, or 0 for any that is free.",
            ) from None
        yield listening
