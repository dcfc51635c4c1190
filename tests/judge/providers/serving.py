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

    def meet(self, count: int) -> None:
        """Answer the first requests when so many are under way, the others at once."""
        barrier, first = threading.Barrier(count), iter(range(count))

        def answer(seen: Seen) -> Reply:
            if next(first, None) is not None:
                barrier.wait(60.0)
            return Reply(completion("H"))

        self.answer = answer

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@dataclass
class Ending:
    """How a batch goes on: after so many looks it has this status and these lines in its files."""

    status: str = "completed"
    good: list[bytes] = field(default_factory=list)
    bad: list[bytes] = field(default_factory=list)
    problems: list[dict[str, Any]] | None = None  # why the whole batch failed
    looks: int = 1
    cancelled: str = "cancelled"  # the status that cancelling leads to; "cancelling" is for ever


def good_line(key: str, text: str = "H") -> bytes:
    """A line as OpenAI writes it."""
    response = {"status_code": 200, "request_id": "r", "body": completion(text)}
    return json.dumps({"id": "b", "custom_id": key, "response": response, "error": None}).encode()


class BatchServer(Server):
    """A server with files and batches, whose endings a test decides by the lines that it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.ending: Callable[[list[Any]], Ending] = lambda lines: Ending(
            good=[good_line(line["custom_id"]) for line in reversed(lines)]
        )
        self.batches: dict[str, dict[str, Any]] = {}
        self.inputs: list[list[Any]] = []  # the lines of each batch
        self.files: dict[str, bytes] = {}
        self.trouble: Callable[[Seen], Reply | None] = lambda seen: None  # instead of what would follow
        self.answer = self._route
        self._endings: dict[str, Ending] = {}

    def _route(self, seen: Seen) -> Reply:
        if (trouble := self.trouble(seen)) is not None:
            return trouble
        path = seen.path.partition("?")[0].removeprefix("/v1/")
        match seen.method, path.split("/"):
            case "POST", ["files"]:
                data = seen.body.split(b'filename="')[1].split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 2)[0]
                return Reply({"id": self._file(data), "object": "file"})
            case "POST", ["batches"]:
                return Reply(self.create(seen.json))
            case "GET", ["batches"]:
                listed = list(reversed(self.batches.values()))
                return Reply({"object": "list", "data": listed, "has_more": False})
            case "POST", ["batches", name, "cancel"] if name in self.batches:
                self.batches[name]["status"] = self._endings[name].cancelled
                self._endings[name].looks = 10**9
                return Reply(self.batches[name])
            case "GET", ["batches", name] if name in self.batches:
                return Reply(self._look(name))
            case "GET", ["files", name, "content"] if name in self.files:
                return Reply(self.files[name], headers={"Content-Type": "application/octet-stream"})
        return Reply({"error": {"message": "not here"}}, 404)

    def _file(self, data: bytes) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = data
        return name

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        self.inputs.append(lines)
        name = f"batch-{len(self.batches)}"
        self._endings[name] = self.ending(lines)
        self.batches[name] = asked | {
            "id": name,
            "object": "batch",
            "status": "in_progress",
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }
        return self.batches[name]

    def _look(self, name: str) -> dict[str, Any]:
        batch, ending = self.batches[name], self._endings[name]
        ending.looks -= 1
        if ending.looks <= 0 and batch["status"] == "in_progress":
            batch["status"] = ending.status
            for field_name, lines in (("output_file_id", ending.good), ("error_file_id", ending.bad)):
                batch[field_name] = self._file(b"\n".join(lines)) if lines else None
            if ending.problems is not None:
                batch["errors"] = {"object": "list", "data": ending.problems}
        return batch
