"""Recordings by address, where the server's owner allows some: checked, and never of an inner network."""

import http.client
import ipaddress
import posixpath
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from emojudge.errors import EmojudgeError
from emojudge.serve.problems import Problem

REDIRECTS = 3
SECONDS = 60.0  # for the whole of it
PIECE = 2**16  # bytes
PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], list[str]]


def check_prefix(prefix: str) -> str:
    """An allowed prefix as it is compared. `https://HOST/path/`; `http://` has to be written out as well.

    Raises:
        EmojudgeError: it is no such address.
    """
    try:
        parts = urlsplit(prefix)
        usable = (
            parts.scheme in PORTS and parts.hostname and not (parts.username or parts.query or parts.fragment)
        )
        port = parts.port
    except ValueError:
        usable, port = False, None
    if not usable:
        raise EmojudgeError(
            "--allow-url-prefix", found=repr(prefix), expected="such as https://bucket.example.org/calls/"
        )
    return f"{parts.scheme}://{parts.hostname}:{port or PORTS[parts.scheme]}{_whole_path(parts.path)}"


def allowed(url: str, prefixes: Sequence[str]) -> SplitResult:
    """The parts of an address that begins with one of the prefixes, as `check_prefix` gives them.

    Raises:
        Problem: 403 where it does not, 422 where it is no address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Problem(422, found="no address", expected="such as https://…") from None
    if parts.scheme in PORTS and parts.hostname and not parts.username and not _is_tricky(parts.path):
        place = f"{parts.scheme}://{parts.hostname}:{port or PORTS[parts.scheme]}{parts.path or '/'}"
        if any(place.startswith(prefix) for prefix in prefixes):
            return parts
    raise Problem(
        403,
        found="an address that is not allowed here",
        expected="an upload" if not prefixes else "one below the prefixes that this server allows",
        advice="The server's owner allows addresses with --allow-url-prefix.",
    )


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, all of them public.

    Raises:
        Problem: 403 for an inner address, 422 for a name without any.
    """
    try:
        found = [info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise Problem(
            422, found="a host that has no address", expected="a host that can be reached"
        ) from None
    if not all(is_public(str(address)) for address in found):
        raise Problem(403, found="a host with an inner address", expected="a host of the public network")
    return [str(address) for address in found]


def is_public(address: str) -> bool:
    """Whether an IP address is of the public network, whatever it is wrapped in.

    >>> is_public("93.184.215.14"), is_public("::ffff:10.0.0.1"), is_public("64:ff9b::7f00:1")
    (True, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if wrapped is not None and not is_public(str(wrapped)):
            return False
    return ip.is_global and not ip.is_multicast


def fetch(url: str, prefixes: Sequence[str], most: int, resolve: Resolve = resolve) -> IO[bytes]:
    """The file at an address, in a temporary file; every redirect is checked as the first address was.

    Raises:
        Problem: an address that is not allowed or gives no file, or one larger than `most` bytes.
    """
    deadline = time.monotonic() + SECONDS
    for _ in range(REDIRECTS + 1):
        parts = allowed(url, prefixes)
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
        # Connected to by number: a name that resolves to something else next time does not matter.
        connection = _Connection(host, port, resolve(host, port)[0], secure=parts.scheme == "https")
        try:
            connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
            answer = connection.getresponse()
            location = answer.getheader("Location")
            if answer.status in (301, 302, 303, 307, 308) and location:
                url = urljoin(url, location)
                continue
            if answer.status != 200:
                raise _unreachable(f"status {answer.status} at the address")
            return _copied(answer, most, deadline)
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(f"an address that cannot be read ({type(error).__name__})") from None
        finally:
            connection.close()
    raise _unreachable(f"more than {REDIRECTS} redirects")


class _Connection(http.client.HTTPConnection):
    """A connection to a number, under the name that its certificate is checked for."""

    def __init__(self, host: str, port: int, address: str, *, secure: bool) -> None:
        super().__init__(host, port, timeout=SECONDS / 4)
        self._address, self._secure = address, secure

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


def _copied(answer: http.client.HTTPResponse, most: int, deadline: float) -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        while piece := answer.read1(PIECE):
            file.write(piece)
            if file.tell() > most:
                raise Problem(413, found=f"more than {most} bytes at the address", expected=f"at most {most}")
            if time.monotonic() > deadline:
                raise _unreachable(f"a download of more than {SECONDS:g} s")
    except BaseException:
        file.close()
        raise
    return file


def _unreachable(found: str) -> Problem:
    return Problem(422, found=found, expected="a recording that can be downloaded")


def _whole_path(path: str) -> str:
    """A prefix's path, which ends where a name ends: `/calls` is no prefix of `/calls-private`."""
    return path if path.endswith("/") else f"{path}/"


def _is_tricky(path: str) -> bool:
    """Whether a server might take a path for another than it looks like."""
    plain = unquote(unquote(path)) or "/"
    if "\\" in plain or "\0" in plain or "//" in plain:
        return True
    return (posixpath.normpath(plain).rstrip("/") or "/") != (plain.rstrip("/") or "/")
