"""What a server was told when it was started, and the limits that nobody has asked to change."""

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path

from emojudge.errors import EmojudgeError

LOCAL = ("localhost", "127.0.0.1", "[::1]")  # names by which a browser on this computer may call
TOKEN_VARIABLE = "EMOJUDGE_TOKEN"
SHORTEST_TOKEN = 16  # characters

PREDICT_SECONDS = 300.0  # the longest recording that is answered at once; longer ones are jobs
FILES = 64  # in one request
TEXT_BYTES = 2**20  # of a transcript or another field of a form
PATIENCE = 30.0  # seconds without a byte of a request's body, before the connection is given up
WAITING_JOBS = 1_000


@dataclass(frozen=True)
class Settings:
    """A server's options.

    Raises:
        EmojudgeError: an address that others can reach, without a token; a token that can be guessed.
    """

    data: Path  # folder of jobs, corrections, ledger and audit log
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()  # names under which it may be called, beside this computer's own
    upload_bytes: int = 200 * 10**6
    minutes: float = 240.0  # of one recording or stream
    rate: int = 1_200  # requests a minute of one client; 0: no limit
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    queue: int = 64  # recordings that wait or are worked on, of all clients
    streams: int = 32  # live at a time
    url_prefixes: tuple[str, ...] = ()
    keep_audio: bool = False

    def __post_init__(self) -> None:
        if self.token is not None and (len(self.token) < SHORTEST_TOKEN or not self.token.isascii()):
            raise EmojudgeError(
                "token",
                found=f"{len(self.token)} characters",
                expected=f"at least {SHORTEST_TOKEN}, ASCII",
                advice="Make one with: openssl rand -hex 32",
            )
        if not self.loopback and self.token is None:
            raise EmojudgeError(
                f"--host {self.host}",
                found="no token, and an address that others can reach",
                expected="a token",
                advice=f"Write one to a file and give --token-file FILE, or set {TOKEN_VARIABLE}.",
            )

    @property
    def loopback(self) -> bool:
        """Whether only this computer can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def allowed_hosts(self) -> tuple[str, ...] | None:
        """What a request's Host may name, without its port; None for anything.

        A page of another site can have its name resolve to this computer ("DNS rebinding") and then read what
        the server answers. Where a token is asked for, it does not know it, and names are checked if given.
        """
        if not self.hosts and not self.loopback:
            return None
        own = f"[{self.host}]" if ":" in self.host else self.host
        return tuple({*LOCAL, own, *self.hosts})


def read_token(path: Path | None) -> str | None:
    """The token of a file, else of the environment; None where there is neither.

    Raises:
        EmojudgeError: a file that cannot be read, or that others can read.
    """
    if path is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise EmojudgeError(path, found=str(error), expected="a file with a token") from None
    if mode & 0o007:
        raise EmojudgeError(
            path,
            found="a token that everybody can read",
            expected="a file of one's own",
            advice=f"chmod 600 {path}",
        )
    return token
