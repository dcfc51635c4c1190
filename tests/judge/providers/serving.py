"""Servers on loopback for the providers' tests: one that says whatever a test wants, one with a Batch API."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from emojudge.judge.exchange import Message, Request, Sampling

SCHEMA = {
    "type": "object",
    "properties": {
        "emotion": {"type": "string", "enum": ["A", "S", "H", "NA"]},
        "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
    },
    "required": ["emotion", "confidence"],
    "additionalProperties": False,
}


def make_request(key: str = "k", text: str = "I won!", schema: bool = False, **sampling: Any) -> Request:
    messages = (Message("system", "Which emotion?"), Message("user", text))
    return Request(key, messages, ("A", "S", "H"), SCHEMA if schema else None, Sampling(**sampling))


def completion(*texts: Any, **fields: Any) -> dict[str, Any]:
    """A chat completion with these texts."""
    choices = [
        {"index": i, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        for i, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    return {
        "id": "c",
        "object": "chat.completion",
        "model": "m-1",
        "choices": choices,
        "usage": usage,
    } | fields


@dataclass
class Reply:
    """What a server sends: a body of any kind, a status, headers; slowly, or with a false length."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0.0  # seconds between bytes
    missing: int = 0  # bytes that are promised and never come
    wait: float = 0.0  # seconds before anything

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Seen:
    """A request that a server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """Answers by a function; remembers what it got and how many requests were under way at once."""

    def __init__(self) -> None:
        self.answer: Callable[[Seen], Reply] = lambda seen: Reply(completion("H"))
        self.seen: list[Seen] = []
        self.most_at_once = 0
        self._now, self._lock = 0, threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, self.rfile.read(length), time.monotonic())
                with owner._lock:
                    owner.seen.append(seen)
                    owner._now += 1
                    owner.most_at_once = max(owner.most_at_once, owner._now)
                try:
                    self._send(owner.answer(seen))
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client had enough
                finally:
                    with owner._lock:
                        owner._now -= 1

            do_GET = do_POST

            def _send(self, reply: Reply) -> None:
                time.sleep(reply.wait)
                body = reply.bytes
                self.send_response(reply.status)
                headers = {"Content-Type": "application/json"} | reply.headers
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) + reply.missing))
                self.end_headers()
                for start in range(len(body)) if reply.drip else (0,):
                    self.wfile.write(body[start : start + 1] if reply.drip else body)
                    self.wfile.flush()
                    time.sleep(reply.drip)
                self.close_connection = bool(reply.missing)

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def script(self, *replies: Reply) -> None:
        """Answer with these in turn, then with a good one."""
        left = list(replies)
        self.answer = lambda seen: left.pop(0) if left else Reply(completion("H"))

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
