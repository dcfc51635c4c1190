"""The lines of three servers' batch files, as they were recorded, and whatever else a file may hold."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.judge.exchange import Answer, Usage
from emojudge.judge.providers.capabilities import Capabilities
from emojudge.judge.providers.chat import calls
from emojudge.judge.providers.lines import cut_files, read_line, write_line, write_lines

from .serving import make_request
from .test_chat import anything

BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1795620781,
    "model": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": '{"emotion":"H"}', "refusal": None},
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 38, "completion_tokens": 9, "total_tokens": 47},
    "system_fingerprint": "b0-unknown",
}
GOOD = {
    "OpenAI": {
        "id": "batch_req_6734",
        "custom_id": "k#0",
        "response": {"status_code": 200, "request_id": "3f2a", "body": BODY},
        "error": None,
    },
    "OGX": {
        "id": "batch_req_batch_e1_3",
        "custom_id": "k#0",
        "response": {"status_code": 200, "request_id": "batch_req_batch_e1_3", "body": json.dumps(BODY)},
    },
    "vLLM": {
        "id": "vllm-52c1",
        "custom_id": "k#0",
        "response": {"status_code": 200, "request_id": "vllm-batch-52c1", "body": BODY},
        "error": None,
    },
}


@pytest.mark.parametrize("server", GOOD)
def test_good_lines_of_every_server(server: str) -> None:
    answer = read_line(json.dumps(GOOD[server]))
    assert (answer.key, answer.texts, answer.error) == ("k#0", ('{"emotion":"H"}',), None)
    assert (answer.usage, answer.fingerprint) == (Usage(38, 9), "b0-unknown")


def body_error(status: int, **error: object) -> dict[str, object]:
    return {
        "id": "batch_req_1",
        "custom_id": "k#0",
        "response": {"status_code": status, "request_id": "r", "body": {"error": error}},
        "error": None,
    }


OGX_ERROR = (
    "Error code: 400 - {'error': {'code': 400, 'message': 'request (5031 tokens) exceeds the available "
    "context size (2048 tokens), try increasing it', 'type': 'exceed_context_size_error'}}"
)
BAD = [
    ("OpenAI", body_error(400, message="too long", code="context_length_exceeded"), "too long", False),
    ("OpenAI", body_error(500, message="our fault"), "our fault", True),
    (
        "OpenAI",
        {
            "id": "batch_req_2",
            "custom_id": "k#0",
            "response": None,
            "error": {"code": "batch_expired", "message": "This request could not be executed in time."},
        },
        "could not be executed",
        True,
    ),
    (
        "OGX",
        {"id": "b", "custom_id": "k#0", "error": {"type": "request_failed", "message": OGX_ERROR}},
        "exceeds the available context",
        False,
    ),
    (
        "OGX",
        {"id": "b", "custom_id": "k#0", "error": {"type": "request_failed", "message": "Connection error."}},
        "Connection error",
        True,
    ),
    (
        "vLLM",
        {
            "id": "vllm-1",
            "custom_id": "k#0",
            "response": {"status_code": 404, "request_id": "vllm-batch-1", "body": None},
            "error": {
                "error": {"message": "no such model", "type": "NotFoundError", "param": None, "code": 404}
            },
        },
        "no such model",
        False,
    ),
]


@pytest.mark.parametrize(("server", "line", "words", "transient"), BAD)
def test_bad_lines_of_every_server(server: str, line: object, words: str, transient: bool) -> None:
    answer = read_line(json.dumps(line))
    assert (answer.key, answer.texts) == ("k#0", ())
    assert answer.error is not None
    assert words in answer.error
    assert answer.transient is transient


def test_a_refused_parameter_is_recognised_in_every_shape() -> None:
    words = "Unsupported parameter: 'temperature' is not supported with this model."
    ogx = {"custom_id": "k", "error": {"type": "request_failed", "message": f"Error code: 400 - {words}"}}
    vllm = {
        "custom_id": "k",
        "response": {"status_code": 400, "body": None},
        "error": {"error": {"message": words, "param": None, "code": 400}},
    }
    openai = body_error(400, message=words, param="temperature", code="unsupported_parameter")
    assert [read_line(json.dumps(line)).extra["refused"] for line in (openai, ogx, vllm)] == [
        "temperature"
    ] * 3


@settings(deadline=None)
@given(st.binary() | st.text(st.characters(codec=None)) | anything.map(json.dumps))
def test_any_other_line_is_an_error(line: bytes | str) -> None:
    answer = read_line(line)
    assert isinstance(answer, Answer)
    assert answer.texts or answer.error


@settings(deadline=None)
@given(anything, anything, anything)
def test_any_parts_of_a_line_are_an_answer_or_an_error(response: object, error: object, name: object) -> None:
    for given_response in (response, {"status_code": 200, "body": response}, {"body": json.dumps(response)}):
        line = json.dumps({"custom_id": name, "response": given_response, "error": error})
        answer = read_line(line)
        assert answer.key == (name if isinstance(name, str) and name.isascii() else answer.key)
        assert answer.texts or answer.error


def test_lines_that_json_refuses_to_read() -> None:
    for line in (b"[" * 100_000, b"9" * 10_000, b'{"a": "\xff"}', b"", b"NaN", b"null", b"\x00"):
        answer = read_line(line)
        assert (answer.key, answer.texts) == ("", ())
        assert answer.error


def test_written_lines_are_what_the_api_wants() -> None:
    request = make_request("k", "Zażółć\u2028 \ud800", schema=True, seed=1)
    (line,) = write_lines([request], "m", Capabilities())
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    got = json.loads(line)
    assert (got["custom_id"], got["method"], got["url"]) == ("k#0", "POST", "/v1/chat/completions")
    assert got["body"]["messages"][1]["content"].startswith("Zażółć\u2028")


@settings(deadline=None)
@given(st.lists(st.integers(0, 300), max_size=30), st.integers(1, 5), st.integers(300, 900))
def test_files_keep_to_both_limits(lengths: list[int], lines: int, size: int) -> None:
    some = [
        call
        for i, length in enumerate(lengths)
        for call in calls(make_request(str(i), "x" * length), "m", Capabilities())
    ]
    files, oversized = cut_files(some, lines, size)
    assert [call for held, _ in files for call in held] == [c for c in some if c not in oversized]
    assert all(len(write_line(call)) > size for call in oversized)
    for held, data in files:
        assert 0 < len(held) <= lines
        assert len(data) <= size
        assert [json.loads(line)["custom_id"] for line in data.splitlines()] == [call.key for call in held]
