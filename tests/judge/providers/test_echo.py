"""The provider without a model."""

import json

from emojudge.judge.providers import load_provider
from emojudge.judge.providers.echo import Echo

from .serving import make_request


def test_echo_is_deterministic_and_keeps_to_the_schema() -> None:
    request = make_request(schema=True, samples=4, label_logprobs=True)
    first, second = Echo().ask(request), Echo().ask(request)
    assert (first.texts, first.letter_logprobs) == (second.texts, second.letter_logprobs)
    assert len(first.texts) == 4
    for text in first.texts:
        got = json.loads(text)
        assert got.keys() == {"emotion", "confidence"}
        assert got["emotion"] in ("A", "S", "H", "NA")
        assert 0 <= got["confidence"] <= 100
    texts = {text for i in range(30) for text in Echo().ask(make_request(str(i))).texts}
    assert texts == {"A", "S", "H"}
    assert json.loads(load_provider("echo:H").ask(request).texts[0]) == {"emotion": "H", "confidence": 100}


def test_echo_answers_by_a_rule() -> None:
    assert Echo(rule=lambda request: request.messages[-1].content[::-1]).ask(make_request()).texts == (
        "!now I",
    )
    answer = Echo(rule=lambda request: request.missing).ask(make_request())  # type: ignore[attr-defined]
    assert answer.error is not None
    assert answer.error.startswith("AttributeError")
