"""What a request has to pass first: Host, Origin, rate, token, size; and what browsers are told to refuse."""

import asyncio
import hmac
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emojudge.serve.problems import Problem
from emojudge.serve.settings import PATIENCE, Settings

OPEN = ("/healthz", "/readyz", "/")  # for a load balancer, and for the page, which is given the token later
OPEN_BELOW = "/page/"  # the page's files
UPLOADS = ("/v1/predict", "/v1/jobs")
OTHER_BYTES = 2**20  # of a request's body anywhere else
CLIENTS = 10_000  # that are remembered for their rate; then those longest unheard of are forgotten

# The page is served from here and talks to here; nothing of anybody else is loaded, framed or run.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; media-src 'self' blob:; connect-src 'self'; worker-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "no-store",
}


class Guard:
    """The checks as ASGI middleware around the app."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self._rates = Rates(settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            self._check(scope)
        except Problem as problem:
            await _refuse(problem, scope, receive, with_headers(send))
            return
        if scope["type"] == "http":
            most = self.settings.upload_bytes if scope["path"] in UPLOADS else OTHER_BYTES
            receive = limited(receive, most)
        await self.app(scope, receive, with_headers(send))

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers)
        check_origin(headers)
        if scope["path"] in OPEN or scope["path"].startswith(OPEN_BELOW):
            return
        self._rates.count(scope["client"][0] if scope.get("client") else "")
        given = headers.get("authorization")
        # A browser cannot give a WebSocket a header: its token comes in the first message, see `live`.
        if scope["type"] == "http" or given is not None:
            check_token(self.settings.token, (given or "").removeprefix("Bearer ").strip())
        if scope["type"] == "http":
            most = self.settings.upload_bytes if scope["path"] in UPLOADS else OTHER_BYTES
            _check_length(headers.get("content-length", "0"), most)

    def _check_host(self, headers: Headers) -> None:
        allowed = self.settings.allowed_hosts
        host = _without_port(headers.get("host", ""))
        if allowed is not None and host not in allowed:
            raise Problem(
                421,
                found="a request for another host",
                expected=f"Host to be one of {', '.join(sorted(allowed))}",
                advice="Behind a proxy, start the server with --allow-host NAME.",
            )


def check_origin(headers: Headers) -> None:
    """Refuse what a page of another site sends; programs send no Origin.

    Raises:
        Problem: 403.
    """
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise Problem(
            403,
            found="a request from a page of another site",
            expected="one from this server's page, or from a program",
        )


def check_token(expected: str | None, given: str) -> None:
    """Raises a Problem, 401, for another token than the server's; its time does not tell how near it was."""
    if expected is None or hmac.compare_digest(expected.encode(), given.encode(errors="replace")):
        return
    raise Problem(
        401,
        found="a wrong token" if given else "no token",
        expected="the server's",
        advice="Send it as: Authorization: Bearer TOKEN",
        headers={"WWW-Authenticate": "Bearer"},
    )


class Rates:
    """Requests of each client: a bucket of `rate` that fills up within a minute."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when

    def count(self, client: str) -> None:
        """Note a request. Raises a Problem, 429, for one too many."""
        if self.rate == 0:
            return
        now = time.monotonic()
        left, when = self._buckets.pop(client, (float(self.rate), now))
        left = min(self.rate, left + (now - when) * self.rate / 60)
        self._buckets[client] = (max(left - 1, 0.0) if left >= 1 else left, now)
        if len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        if left < 1:
            wait = int((1 - left) * 60 / self.rate) + 1
            raise Problem(
                429,
                found="too many requests of this client",
                expected=f"at most {self.rate} a minute",
                advice="Try again after the seconds in Retry-After.",
                headers={"Retry-After": str(wait)},
            )


def limited(receive: Receive, most: int) -> Receive:
    """A request's body that ends in a Problem when it grows beyond `most` bytes, or stands still."""
    count = 0

    async def checked() -> Message:
        nonlocal count
        try:
            message = await asyncio.wait_for(receive(), PATIENCE) if count >= 0 else await receive()
        except TimeoutError:
            raise Problem(
                408, found=f"nothing sent for {PATIENCE:g} s", expected="the rest of the request"
            ) from None
        if message["type"] == "http.request":
            count += len(message.get("body", b""))
            if count > most:
                raise _too_large(f"more than {most} bytes", most)
            if not message.get("more_body", False):
                count = -most - 1  # complete: whoever listens on waits for the client to go, however long
        return message

    return checked


def with_headers(send: Send) -> Send:
    """Answers with the headers that tell a browser what it may do with them."""

    async def sent(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent


def _check_length(text: str, most: int) -> None:
    if text.isdigit() and int(text[:20]) > most:
        raise _too_large(f"{int(text[:20])} bytes", most)


def _too_large(found: str, most: int) -> Problem:
    return Problem(
        413,
        found=found,
        expected=f"at most {most} in one request",
        advice="Send a compressed recording, or parts of it; --max-upload sets the limit.",
        headers={"Connection": "close"},
    )


def _without_port(host: str) -> str:
    """A Host header's name.

    >>> _without_port("LocalHost:8765"), _without_port("[::1]:80"), _without_port("[::1]")
    ('localhost', '[::1]', '[::1]')
    """
    name, _, port = host.lower().rpartition(":")
    return name if name and port.isdigit() else host.lower()


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": problem.detail[:100]})
        return
    await problem.response()(scope, receive, send)
