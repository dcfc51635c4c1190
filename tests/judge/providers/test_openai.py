"""The client against servers that are busy, broken, hostile or particular: always an answer, never a key."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emojudge.errors import ProviderError
from emojudge.judge.ledger import Ledger
from emojudge.judge.providers import Settings, load_provider
from emojudge.judge.providers.openai import LONGEST_BODY, Chat

from .serving import Reply, Seen, Server, completion, make_request

pytest.importorskip("openai", reason="needs the extra 'judge'")

KEY = "sk-do-not-show-me-1234567890"
SOON = {"retry-after-ms": "20"}


def client(server: Server, **settings: Any) -> Chat:
    settings = {"timeout": 60.0, "retries": 2} | settings
    provider = load_provider(f"{server.url}#m", Settings(**settings))
    assert isinstance(provider, Chat)
    return provider


def test_a_good_answer(server: Server) -> None:
    answer = client(server).ask(make_request(schema=True))
    assert (answer.key, answer.texts, answer.error) == ("k", ("H",), None)
    (seen,) = server.seen
    assert seen.path == "/v1/chat/completions"
    assert seen.json["model"] == "m"
    assert seen.json["response_format"]["type"] == "json_schema"
    assert "stream" not in seen.json


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_passes_is_tried_again(server: Server, status: int) -> None:
    server.script(Reply({"error": {"message": "busy"}}, status, SOON), Reply(b"oops", status, SOON))
    assert client(server).ask(make_request()).texts == ("H",)
    assert len(server.seen) == 3


def test_retry_after_is_respected(server: Server) -> None:
    server.script(Reply({}, 429, {"Retry-After": "1"}))
    assert client(server).ask(make_request()).texts == ("H",)
    assert server.seen[1].at - server.seen[0].at >= 1.0


def test_what_does_not_pass_becomes_an_error_that_may(server: Server) -> None:
    server.answer = lambda seen: Reply({"error": {"message": "busy"}}, 429, SOON)
    answer = client(server).ask(make_request())
    assert (answer.error, answer.transient, answer.texts) == ("HTTP 429: busy", True, ())
    assert len(server.seen) == 3


HOSTILE: dict[str, Callable[[], Reply]] = {
    "truncated JSON": lambda: Reply(b'{"choices": [{"mess'),
    "a body that ends early": lambda: Reply(completion("H"), missing=100),
    "nothing": lambda: Reply(b""),
    "HTML": lambda: Reply(
        b"<!DOCTYPE html><html><title>Login</title>", headers={"Content-Type": "text/html"}
    ),
    "a list": lambda: Reply([1, 2]),
    "null": lambda: Reply(b"null"),
    "a number": lambda: Reply(b"1e999"),
    "deep nesting": lambda: Reply(b"[" * 200_000),
    "no choices": lambda: Reply({"id": "x", "choices": []}),
    "choices of another type": lambda: Reply({"choices": {"0": "H"}}),
    "a text of another type": lambda: Reply(completion({"emotion": "H"})),
    "usage of another type": lambda: Reply(completion(None, usage="much")),
    "bytes that are no text": lambda: Reply(b"\xff\xfe\x00{}"),
    "compressed nonsense": lambda: Reply(b"not gzip", headers={"Content-Encoding": "gzip"}),
    "an error with status 200": lambda: Reply({"error": {"message": "overloaded"}}),
    "an error without words": lambda: Reply({"error": None}, 400),
    "an error that is a page": lambda: Reply(b"<html>no</html>", 403, {"Content-Type": "text/html"}),
    "an endless redirect": lambda: Reply(b"", 307, {"Location": "/v1/chat/completions"}),
    "not modified": lambda: Reply(b"", 304),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_a_server_sends_is_an_exception(server: Server, what: str) -> None:
    server.answer = lambda seen: HOSTILE[what]()
    answer = client(server, retries=0).ask(make_request())
    assert answer.key == "k"
    assert answer.texts == ()
    assert answer.error
    assert "Traceback" not in answer.error


def test_odd_but_good_answers_are_read(server: Server) -> None:
    odd = completion(
        "H", usage={"prompt_tokens": True, "completion_tokens": -3}, model=7, system_fingerprint=[]
    )
    server.answer = lambda seen: Reply(odd, headers={"Content-Type": "text/plain"})
    answer = client(server).ask(make_request())
    assert (answer.texts, answer.model, answer.usage.prompt, answer.usage.completion) == (("H",), "", 0, 0)


def test_a_body_that_broke_off_is_asked_for_again(server: Server) -> None:
    server.script(Reply(completion("H"), missing=50), Reply(b'{"choi'))
    assert client(server, retries=0).ask(make_request()).texts == ("H",)


def test_a_silent_server_is_left(server: Server) -> None:
    server.answer = lambda seen: Reply(completion("H"), wait=3.0)
    answer = client(server, timeout=0.2, retries=0).ask(make_request())
    assert (answer.error, answer.transient) == ("no answer within 0.2 s", True)


def test_a_server_that_sends_byte_by_byte_is_left(server: Server) -> None:
    server.answer = lambda seen: Reply(completion("H"), drip=0.05)
    answer = client(server, timeout=0.3, retries=0).ask(make_request())
    assert answer.error in (
        "the answer broke off: it was not complete after 0.3 s",
        "no answer within 0.3 s",  # on a machine that is busy with other things
    )
    assert answer.transient


def test_an_endless_body_is_left(server: Server) -> None:
    server.answer = lambda seen: Reply(b" " * (LONGEST_BODY + 10_000_000))
    answer = client(server, retries=0).ask(make_request())
    assert answer.error is not None
    assert str(LONGEST_BODY) in answer.error


def test_no_server_at_all(server: Server) -> None:
    provider = client(server, retries=0)
    server.close()
    answer = provider.ask(make_request())
    assert answer.error is not None
    assert answer.error.startswith("no connection")
    assert answer.transient


def particular(*refused: str) -> Callable[[Seen], Reply]:
    """A server that takes none of these parameters."""

    def answer(seen: Seen) -> Reply:
        for name in refused:
            if name in seen.json:
                error = {"message": f"Unsupported parameter: '{name}'", "param": name}
                return Reply({"error": error | {"code": "unsupported_parameter"}}, 400)
        return Reply(completion(*["H"] * seen.json.get("n", 1)))

    return answer


def test_refused_parameters_are_dropped_recorded_and_remembered(server: Server) -> None:
    server.answer = particular("temperature", "response_format", "max_tokens", "seed")
    provider = client(server)
    request = make_request(schema=True, temperature=0.3, seed=1)
    answer = provider.ask(request)
    assert (answer.texts, answer.error) == (("H",), None)
    assert answer.dropped == ("temperature", "seed", "response_format")
    assert server.seen[-1].json.keys() == {"model", "messages", "max_completion_tokens"}
    asked = len(server.seen)
    assert provider.ask(request).dropped == answer.dropped
    assert len(server.seen) == asked + 1


def test_what_was_paid_for_is_not_asked_again_when_a_later_call_is_refused(server: Server) -> None:
    server.answer = particular("logprobs")
    answer = client(server).ask(make_request(label_logprobs=True, temperature=None))
    assert (answer.texts, answer.letter_logprobs, answer.dropped) == (("H",), None, ("logprobs",))
    assert len(server.seen) == 2


def test_a_server_that_refuses_everything_for_ever_ends(server: Server) -> None:
    server.answer = lambda seen: Reply(
        {
            "error": {
                "message": "Unsupported parameter",
                "param": "temperature",
                "code": "unsupported_parameter",
            }
        },
        400,
    )
    answer = client(server).ask(make_request(temperature=0.3))
    assert answer.error is not None
    assert "Unsupported parameter" in answer.error
    assert len(server.seen) == 2


def test_samples_come_by_several_calls(server: Server) -> None:
    texts = iter("HSA")
    server.answer = lambda seen: Reply(completion(next(texts)))
    answer = client(server).ask(make_request(samples=3))
    assert answer.texts == ("H", "S", "A")
    assert (answer.usage.prompt, answer.usage.completion) == (21, 6)


def test_no_more_at_once_than_allowed(server: Server) -> None:
    server.meet(3)
    provider = client(server, concurrency=3)
    before = set(threading.enumerate())  # other tests', too
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(provider.ask, [make_request(str(i)) for i in range(12)]))
    assert [answer.key for answer in answers] == [str(i) for i in range(12)]
    assert server.most_at_once == 3
    assert len(set(threading.enumerate()) - before) < 12  # not one for every request


# ------------------------------------------------------------------------------------------------------ names


def test_the_only_model_of_a_server_is_found(server: Server) -> None:
    server.answer = lambda seen: Reply({"object": "list", "data": [{"id": "m-7", "object": "model"}]})
    provider = load_provider(server.url)
    assert (provider.name, provider.model) == (f"{server.url}#m-7", "m-7")


@pytest.mark.parametrize("ids", [[], ["a", "b"]])
def test_a_model_must_be_named_where_there_are_none_or_several(server: Server, ids: list[str]) -> None:
    server.answer = lambda seen: Reply({"object": "list", "data": [{"id": name} for name in ids]})
    with pytest.raises(ProviderError, match="one model"):
        load_provider(server.url)


@pytest.mark.parametrize(
    "reply", [Reply({"error": "no"}, 404), Reply(b"[]"), Reply(b"{"), Reply({"data": 5})]
)
def test_a_server_that_lists_no_models_says_so(server: Server, reply: Reply) -> None:
    server.answer = lambda seen: reply
    with pytest.raises(ProviderError, match="URL#MODEL"):
        load_provider(server.url, Settings(retries=0))


@pytest.mark.parametrize("name", ["http://", "http://[::1/v1#m", "http://u:p@h/v1#m", "http://h:99999/v1#m"])
def test_urls_that_are_none(name: str) -> None:
    with pytest.raises(ProviderError):
        load_provider(name)


def test_openai_by_name(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    provider = load_provider("openai/gpt-4o-mini")
    assert provider.ask(make_request(samples=2)).error is None
    (seen,) = server.seen
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert (seen.json["model"], seen.json["n"]) == ("gpt-4o-mini", 2)


def test_a_model_that_was_shut_down_says_so(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    server.answer = lambda seen: Reply(
        {"error": {"message": "no such model", "code": "model_not_found"}}, 404
    )
    provider = load_provider("openai/gpt-4")
    assert "2026-10-23" in caplog.text
    assert provider.ask(make_request()).error == (
        "HTTP 404: no such model (gpt-4 was to be shut down on 2026-10-23)"
    )


@pytest.mark.parametrize("version", [None, "2024-10-21"])
def test_azure_by_both_kinds_of_url(
    server: Server, monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.url.removesuffix("/v1"))
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    if version:
        monkeypatch.setenv("OPENAI_API_VERSION", version)
    provider = load_provider("azure/my-gpt")
    assert provider.ask(make_request()).texts == ("H",)
    (seen,) = server.seen
    if version:
        assert seen.path == f"/openai/deployments/my-gpt/chat/completions?api-version={version}"
        assert seen.headers["api-key"] == KEY
    else:
        assert seen.path == "/openai/v1/chat/completions"
        assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.json["model"] == "my-gpt"


@pytest.mark.parametrize(
    ("name", "variable"), [("openai/m", "OPENAI_API_KEY"), ("azure/m", "AZURE_OPENAI_ENDPOINT")]
)
def test_without_a_key_the_error_names_the_variable(name: str, variable: str) -> None:
    with pytest.raises(ProviderError, match=variable):
        load_provider(name)


# ------------------------------------------------------------------------------------------------------- keys


def test_the_key_of_openai_goes_to_no_other_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    client(server).ask(make_request())
    assert KEY not in str(server.seen)
    monkeypatch.setenv("EMOJUDGE_API_KEY", "mine")
    client(server).ask(make_request())
    assert server.seen[-1].headers["authorization"] == "Bearer mine"


def test_keys_come_from_a_file(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    monkeypatch.setenv("EMOJUDGE_API_KEY_FILE", str(file))
    client(server).ask(make_request())
    assert server.seen[-1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", "schlüssel".encode(), None])
def test_a_key_file_that_is_none_is_an_error_without_its_content(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("EMOJUDGE_API_KEY_FILE", str(file))
    with pytest.raises(ProviderError, match="EMOJUDGE_API_KEY_FILE") as caught:
        client(server)
    assert "words" not in str(caught.value)
    assert "schl" not in str(caught.value)


def test_keys_are_shown_nowhere(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("EMOJUDGE_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    said = {"error": {"message": f"Incorrect API key provided: {KEY}. And Bearer {KEY}"}}
    provider = client(server, retries=1)
    shown = [repr(provider), str(provider), repr(vars(provider))]
    for reply in (
        Reply(said, 401),
        Reply(said, 429, SOON),
        Reply(f"<html>{KEY}</html>".encode(), 500, SOON),
        Reply(f"garbage {KEY}".encode()),
        Reply({"error": KEY}),
    ):
        server.answer = lambda seen, reply=reply: reply
        answer = provider.ask(make_request())
        assert answer.error
        shown.append(repr(answer))
    server.answer = lambda seen: Reply(said, 401)
    with pytest.raises(ProviderError) as caught:
        load_provider(server.url, Settings(retries=0))
    with Ledger(tmp_path / "ledger") as ledger:
        for request in (make_request("a"), make_request("b")):
            ledger.keep(request, provider.ask(request), None, provider="p", model="m", prompt="h")
    shown += [str(caught.value), repr(caught.value), caplog.text]
    shown += [file.read_bytes().decode("latin-1") for file in tmp_path.iterdir()]
    assert len(shown) > 11
    assert [text for text in shown if KEY in text] == []


def test_a_server_is_asked_as_much_at_once_as_allowed(server: Server) -> None:
    server.meet(4)
    provider = client(server, concurrency=4)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(provider.ask, [make_request(str(i)) for i in range(16)]))
    assert all(answer.texts == ("H",) for answer in answers)
    assert server.most_at_once == 4
