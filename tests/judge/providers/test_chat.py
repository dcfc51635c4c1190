"""Bodies out, answers in: what is asked of which model, and that nothing a server says is an exception."""

import json
import math
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.judge.exchange import Answer, Usage
from emojudge.judge.providers.capabilities import Capabilities, Price, capabilities_of
from emojudge.judge.providers.chat import (
    calls,
    dropped,
    failure,
    join,
    read,
    refusal,
    refused_parameter,
    renormalise,
)
from emojudge.judge.providers.cost import estimate

from .serving import SCHEMA, completion, make_request

names = st.text(max_size=5) | st.sampled_from(
    [
        "choices",
        "message",
        "content",
        "error",
        "code",
        "param",
        "usage",
        "model",
        "prompt_tokens",
        "logprobs",
        "top_logprobs",
        "token",
        "logprob",
        "index",
        "finish_reason",
        "refusal",
        "detail",
        "text",
        "body",
        "response",
        "status_code",
        "custom_id",
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=20,
)


def test_plain_models_get_what_was_asked() -> None:
    request = make_request(schema=True, temperature=0.3, max_tokens=50, seed=4)
    (call,) = calls(request, "m", Capabilities())
    assert call.body["temperature"] == 0.3
    assert (call.body["max_tokens"], call.body["seed"]) == (50, 4)
    assert call.body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert call.body["messages"][1] == {"role": "user", "content": "I won!"}
    assert "n" not in call.body
    assert "reasoning_effort" not in call.body
    assert dropped(request, Capabilities()) == ()


def test_reasoning_models_get_no_temperature_and_room_to_think() -> None:
    request = make_request(temperature=0.3, label_logprobs=True, max_tokens=50)
    able = capabilities_of("o4-mini")
    (call,) = calls(request, "o4-mini", able)
    assert not {"temperature", "max_tokens", "logprobs"} & call.body.keys()
    assert call.body["max_completion_tokens"] == 50 + able.thinking
    assert call.body["reasoning_effort"] == "low"
    assert dropped(request, able) == ("temperature", "logprobs")


@pytest.mark.parametrize(
    "model", ["gpt-5.1", "gpt-5.4-mini-2026-03-17", "gpt-6-luna", "gpt-6.1-sol", "gpt-5.5"]
)
def test_models_whose_reasoning_can_be_turned_off_keep_the_temperature(model: str) -> None:
    (call,) = calls(make_request(temperature=0.3), model, capabilities_of(model))
    assert (call.body["temperature"], call.body["reasoning_effort"]) == (0.3, "none")
    assert "max_tokens" not in call.body


@pytest.mark.parametrize(
    ("model", "effort", "temperature"),
    [
        ("gpt-6.2-sol", "low", False),  # refuses "none" and "minimal"
        ("gpt-5-mini", "minimal", False),
        ("gpt-5.5-pro", "high", False),
        ("o3", "low", False),
        ("gpt-4o-2024-08-06", None, True),
        ("gpt-4", None, True),
        ("some-model-of-somebody", None, True),
    ],
)
def test_the_table_knows_families(model: str, effort: str | None, temperature: bool) -> None:
    able = capabilities_of(model)
    assert (able.effort, able.temperature) == (effort, temperature)


def test_the_table_knows_shutdowns_and_prices_of_snapshots() -> None:
    assert capabilities_of("gpt-4-0613").shutdown == date(2026, 10, 23)
    assert capabilities_of("gpt-4o-2024-05-13").shutdown == date(2026, 10, 23)
    assert capabilities_of("gpt-4o-2024-11-20").shutdown == date(2027, 1, 14)
    assert capabilities_of("gpt-4o-2024-05-13").price == Price(5.0, 15.0, date(2026, 6, 4))
    tuned = capabilities_of("ft:gpt-4o-mini-2024-07-18:us:x:1")
    assert (tuned.price, tuned.schema) == (None, True)


def test_samples_are_one_call_where_the_model_can_and_several_where_not() -> None:
    request = make_request(samples=3, seed=10)
    (one,) = calls(request, "m", Capabilities(n=True))
    assert (one.body["n"], one.body["seed"]) == (3, 10)
    several = calls(request, "m", Capabilities())
    assert [call.body["seed"] for call in several] == [10, 11, 12]
    assert len({call.key for call in several}) == 3
    assert all("n" not in call.body for call in several)


def test_a_letter_and_its_probability_are_one_token_of_one_call() -> None:
    (call,) = calls(make_request(label_logprobs=True, max_tokens=4, temperature=0.3), "m", Capabilities())
    assert (call.body["logprobs"], call.body["top_logprobs"], call.body["max_tokens"]) == (True, 20, 1)
    assert call.body["temperature"] == 0.3
    (without,) = calls(make_request(label_logprobs=True, max_tokens=4), "m", Capabilities(logprobs=False))
    assert without.body["max_tokens"] == 4  # a letter may then come after a quote or a space
    assert "logprobs" not in without.body
    several = calls(make_request(label_logprobs=True, samples=3), "m", Capabilities())
    assert [call.key for call in several] == ["k#0", "k#1", "k#2"]


def test_a_completion_is_read() -> None:
    answer = read("k#0", completion("H", system_fingerprint="fp"))
    assert (answer.texts, answer.finish, answer.model) == (("H",), "stop", "m-1")
    assert (answer.fingerprint, answer.usage, answer.error) == ("fp", Usage(7, 2), None)
    assert answer.received.endswith("+00:00")


@pytest.mark.parametrize(
    ("message", "texts"),
    [
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, ("ab",)),
        ({"content": None, "reasoning_content": "hmm"}, ("",)),
        ({"content": ""}, ("",)),
        ({"content": None}, ()),
        ({"content": 5}, ()),
        ("H", ()),
        (None, ()),
    ],
)
def test_contents_of_any_form_are_read_or_are_errors(message: object, texts: tuple[str, ...]) -> None:
    answer = read("k", {"choices": [{"message": message}]})
    assert answer.texts == texts
    assert (answer.error is None) == bool(texts)


def test_a_refusal_by_the_model_is_an_error_that_stays() -> None:
    answer = read("k", {"choices": [{"message": {"content": None, "refusal": "I cannot."}}]})
    assert answer.error == "the model refused: I cannot."
    assert not answer.transient


def test_log_probabilities_are_those_of_the_letters_alone() -> None:
    top = [("A", 0.2), (" A", 0.1), ("S", 0.3), ("The", 0.35), ("h", 0.05)]
    candidates = [{"token": token, "logprob": math.log(p)} for token, p in top]
    candidates += [
        {"token": "H", "logprob": float("nan")},
        {"token": "S", "logprob": "x"},
        {"token": 1},
        None,
    ]
    logprobs = {"content": [{"token": "The", "top_logprobs": candidates}]}
    body = completion("The")
    body["choices"][0]["logprobs"] = logprobs
    request = make_request(label_logprobs=True)
    answer = join(request, [read("k#0", body)])
    assert answer.letter_logprobs == pytest.approx({"A": math.log(0.5), "S": math.log(0.5)})
    assert answer.texts == ("The",)
    assert answer.usage == Usage(7, 2)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("ASHUFDCN"), st.floats(-700, 0), min_size=1))
def test_renormalised_probabilities_sum_to_one(logprobs: dict[str, float]) -> None:
    found = renormalise(logprobs, tuple("ASHUFDCN"))
    assert found is not None
    assert sum(math.exp(value) for value in found.values()) == pytest.approx(1.0)


def test_parts_that_failed_do_not_lose_those_that_came() -> None:
    request = make_request(samples=3)
    parts = [
        read("k#0", completion("H")),
        failure("k#1", "gone", transient=True),
        read("k#2", completion("S")),
    ]
    answer = join(request, parts, ("seed",))
    assert (answer.key, answer.texts, answer.error) == ("k", ("H", "S"), None)
    assert answer.dropped == ("seed",)
    assert answer.extra["samples"] == "1 of 3 calls failed: gone"
    lost = join(request, parts[1:2])
    assert (lost.key, lost.error, lost.transient) == ("k", "gone", True)


@pytest.mark.parametrize(
    ("status", "body", "parameter"),
    [
        (400, {"message": "m", "param": "temperature", "code": "unsupported_parameter"}, "temperature"),
        (
            400,
            {"error": {"message": "m", "param": "temperature", "code": "unsupported_value"}},
            "temperature",
        ),
        (
            400,
            {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."},
            "max_tokens",
        ),
        (400, {"error": {"message": "Field 'n': Value must be between 1 <= value <= 2, but got 3"}}, "n"),
        (422, {"detail": "Extra inputs are not permitted: seed"}, "seed"),
        (400, {"message": "response_format is not supported by this model"}, "response_format"),
        (400, {"message": "request (5031 tokens) exceeds the available context size"}, None),
        (400, {"message": "'messages' must not be empty", "param": "messages"}, None),
        (500, {"message": "m", "param": "temperature", "code": "unsupported_parameter"}, None),
        (400, "temperature", None),
        (400, None, None),
    ],
)
def test_refused_parameters_are_recognised(status: int, body: object, parameter: str | None) -> None:
    assert refused_parameter(status, body) == parameter


@pytest.mark.parametrize(
    ("status", "body", "transient"),
    [
        (429, {"message": "slow down", "code": "rate_limit_exceeded"}, True),
        (429, {"message": "pay first", "code": "insufficient_quota"}, False),
        (503, "<html><title>away</title></html>", True),
        (408, None, True),
        (401, {"message": "who are you"}, False),
        (404, {"message": "no such model"}, False),
        (None, {"error": {"message": "Error code: 503 - {'x': 1}"}}, True),
        (None, {"error": {"code": "batch_expired", "message": "too late"}}, True),
        (None, {"error": {"message": "no idea"}}, False),
    ],
)
def test_errors_say_whether_asking_again_may_help(status: int | None, body: object, transient: bool) -> None:
    answer = refusal("k", status, body)
    assert answer.error
    assert answer.transient is transient


def test_an_error_without_words_is_still_an_error() -> None:
    assert refusal("k", None, {"error": " \r"}).error == failure("k", "", transient=False).error
    assert failure("k", "", transient=False).error


def test_long_errors_are_cut() -> None:
    error = refusal("k", 500, {"message": "x " * 10_000}).error
    assert error is not None
    assert len(error) <= 400


@settings(deadline=None)
@given(anything)
def test_no_body_is_an_exception(body: object) -> None:
    for answer in (read("k", body), refusal("k", 400, body), refusal("k", None, body)):
        assert isinstance(answer, Answer)
        assert answer.texts or answer.error
        json.dumps(answer.texts, ensure_ascii=False).encode()  # whatever it is can be stored
        (answer.error or "").encode()


def test_estimates_count_every_call_at_its_longest() -> None:
    able = capabilities_of("gpt-4o-mini")
    one = estimate([make_request(text="x" * 3_000, max_tokens=100)], able)
    assert one.calls == 1
    assert 750 < one.prompt < 800
    assert one.completion == 100
    assert one.dollars == pytest.approx((one.prompt * 0.15 + 100 * 0.6) / 1e6)
    assert one.known == date(2026, 6, 4)
    three = estimate([make_request(samples=3, max_tokens=100)], able)
    assert (three.calls, three.completion) == (1, 300)
    letters = estimate([make_request(samples=3, max_tokens=100, label_logprobs=True)], Capabilities())
    assert (letters.calls, letters.completion) == (3, 3)
    assert letters.dollars is None
    assert (
        estimate([make_request()], able, batch=True).dollars == estimate([make_request()], able).dollars / 2
    )
    assert estimate([make_request(schema=True)], able).prompt > estimate([make_request()], able).prompt
    assert estimate([make_request(max_tokens=100)], capabilities_of("o3")).completion == 4_100
    assert estimate([], able).dollars == 0.0


def test_learning_is_lasting_and_bounded() -> None:
    able = Capabilities()
    for parameter in ("max_tokens", "max_completion_tokens", "temperature", "n", "reasoning_effort"):
        able = able.without(parameter)
    assert able.limit is None
    request = make_request(temperature=0.3)
    (call,) = calls(request, "m", able)
    assert call.body.keys() == {"model", "messages"}
    assert dropped(request, able) == ("temperature", "max_tokens", "reasoning_effort")
