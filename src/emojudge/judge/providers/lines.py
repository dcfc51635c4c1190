"""The lines of a Batch API's files: ours, and those of three servers, which differ.

OpenAI has a good line's body as an object and puts bad ones into a file of their own; OGX has the body as a
string of JSON, and a bad line without any response; vLLM's `run-batch` has bad lines among the good ones and
nests their errors twice.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from emojudge.judge.exchange import Answer, Request
from emojudge.judge.providers.capabilities import Capabilities
from emojudge.judge.providers.chat import Call, calls, clean, complaint, failure, read, refusal

ENDPOINT = "/v1/chat/completions"


def write_line(call: Call) -> bytes:
    """The line of a batch's file that asks for one call, its newline included."""
    line = {"custom_id": call.key, "method": "POST", "url": ENDPOINT, "body": call.body}
    return json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def write_lines(requests: Iterable[Request], model: str, capabilities: Capabilities) -> Iterator[bytes]:
    """The lines for requests, such as for `vllm run-batch`."""
    for request in requests:
        yield from map(write_line, calls(request, model, capabilities))


def cut_files(
    some: Iterable[Call], lines: int, size: int
) -> tuple[list[tuple[list[Call], bytes]], list[Call]]:
    """The calls in files of so many lines and bytes at most, with their bytes; and those too long for any."""
    files: list[tuple[list[Call], bytearray]] = []
    oversized = []
    for call in some:
        line = write_line(call)
        if len(line) > size:
            oversized.append(call)
            continue
        if not files or len(files[-1][0]) == lines or len(files[-1][1]) + len(line) > size:
            files.append(([], bytearray()))
        files[-1][0].append(call)
        files[-1][1].extend(line)
    return [(held, bytes(data)) for held, data in files], oversized


def read_line(line: str | bytes) -> Answer:
    """The answer in a line of an output or error file; whatever else it is becomes an answer with an error.

    The answer's key is the line's `custom_id`, "" if it has none; one line may answer a part of a request
    (`emojudge.judge.providers.chat.join`).

    >>> read_line('{"custom_id": "k", "error": {"type": "request_failed", "message": "no"}}').error
    'no'
    """
    try:
        got = json.loads(line)
    except (ValueError, RecursionError):
        return failure("", "a line that is not JSON", transient=True)
    if not isinstance(got, dict):
        return failure("", "a line that is no object", transient=True)
    name = got.get("custom_id")
    key = clean(name) if isinstance(name, str) else ""
    response = got.get("response")
    status = response.get("status_code") if isinstance(response, dict) else None
    status = status if isinstance(status, int) and not isinstance(status, bool) else None
    body = _body(response)
    if got.get("error") and not (status == 200 and body):
        return _lost(key, status, got, body)
    if status is not None and status != 200:
        return refusal(key, status, body)
    return read(key, body)


def _body(response: object) -> Any:
    body = response.get("body") if isinstance(response, dict) else None
    if isinstance(body, str):
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            return body
    return body


def _lost(key: str, status: int | None, line: dict[str, Any], body: object) -> Answer:
    """A line whose error stands beside the response; the response may say more."""
    answer = refusal(key, status, {"error": line["error"]})
    if isinstance(body, dict) and body.get("error"):
        return replace(answer, error=f"{answer.error}; {complaint(body)}"[:400])
    return answer
