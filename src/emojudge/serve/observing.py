"""Every request in the audit log and the metrics, whatever became of it."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emojudge.serve.audit import Audit
from emojudge.serve.metrics import Metrics


class Observer:
    """The outermost ASGI middleware: it sees what the others refuse, too."""

    def __init__(self, app: ASGIApp, audit: Audit, metrics: Metrics) -> None:
        self.app = app
        self._audit = audit
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        received = sent = 0
        status = 500 if scope["type"] == "http" else 101

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body") or message.get("bytes") or message.get("text") or b"")
            return message

        async def counted_send(message: Message) -> None:
            nonlocal sent, status
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
            sent += len(message.get("body") or message.get("bytes") or message.get("text") or b"")
            await send(message)

        try:
            await self.app(scope, counted_receive, counted_send)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", None) or "unmatched"
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.latency.labels(route).observe(seconds)
            self._audit.note(
                client=scope["client"][0] if scope.get("client") else "",
                method=scope.get("method", "WS"),
                route=route,
                status=status,
                seconds=seconds,
                received=received,
                sent=sent,
            )
