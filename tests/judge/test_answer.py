"""What language models write, read strictly: a label, NA, or a fault in words."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.emotions import ATTRIBUTES, EMOTIONS, LETTERS, Emotion
from emojudge.judge.answer import MAX_REASON, Reading, read
from emojudge.judge.exchange import Answer
from emojudge.judge.forms import Form, instruction, schema
from emojudge.judge.prompt import Prompt, Question


def question(form: Form = "json", labels: tuple[Emotion, ...] = EMOTIONS) -> Question:
    prompt = Prompt.load("attributes" if form == "ratings" else "default")
    return Question(prompt, "test/model", form, labels=labels)


def said(*texts: str, form: Form = "json", labels: tuple[Emotion, ...] = EMOTIONS, **how: object) -> Reading:
    return read(Answer("key", texts=texts, **how), question(form, labels))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "emotion", "stated", "reason"),
    [
        ('{"emotion": "sad", "confidence": 85, "reason": "slow and low"}', "sad", 0.85, "slow and low"),
        ('```json\n{"emotion": "Anger", "confidence": "90%"}\n```', "angry", 0.9, ""),
        ('Sure! {"emotion": "U", "confidence": 0.7, "reason": 3} I hope that helps.', "surprise", 0.7, ""),
        ('{"emotion": "fear", "confidence": 1}', "fear", 0.01, ""),  # percent, as it was asked for
        ('{"emotion": "fear", "confidence": 1.0}', "fear", 1.0, ""),
        ('{"emotion": "fear", "confidence": "0.5"}', "fear", 0.5, ""),
        ('{"emotion": "fear", "confidence": 180}', "fear", None, ""),
        ('{"emotion": "fear", "confidence": true}', "fear", None, ""),
        ('{"emotion": "fear", "confidence": -1}', "fear", None, ""),
        ('{"emotion": "fear", "confidence": "very"}', "fear", None, ""),
        ('{"emotion": "NA", "confidence": 20, "reason": "torn"}', None, 0.2, "torn"),
        ('{"emotion": null}', None, None, ""),
        ("happy", "happy", None, ""),
        ("  **Happy**.", "happy", None, ""),
        ("Label: H", "happy", None, ""),
        ("Emotion: joy\nShe laughs while  speaking.", "happy", None, "She laughs while speaking."),
        ("NA", None, None, ""),
        ("N/A.", None, None, ""),
        ("N", "neutral", None, ""),
    ],
)
def test_answers_that_can_be_read(text: str, emotion: str | None, stated: float | None, reason: str) -> None:
    reading = said(text)
    assert (reading.emotion, reading.stated, reading.reason) == (emotion, stated, reason)
    assert reading.fault is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty answer"),
        ("  \n", "empty answer"),
        ("I'm sorry, but I can't help with that.", "refused"),
        ("It could be happy or sad.", "malformed: 'It could be happy or sad.'"),
        ("happy sad", "malformed: 'happy sad'"),
        ("bored", "not one of the labels: 'bored'"),
        ("a", "not one of the labels: 'a'"),
        ('{"emotion": "bored"}', "not one of the labels: 'bored'"),
        ('{"emotion": ["sad"]}', "not one of the labels: \"['sad']\""),
        ('{"emotion": "sad"', 'malformed: \'{"emotion": "sad"\''),
        ('{"label": "sad"}', 'malformed: \'{"label": "sad"}\''),
        ('{"emotion": "sad"} {"emotion": "happy"}', "malformed"),
    ],
)
def test_answers_that_are_none(text: str, fault: str) -> None:
    reading = said(text)
    assert reading.emotion is None
    assert reading.fault is not None
    assert reading.fault.startswith(fault)


def test_labels_outside_the_task_are_refused() -> None:
    assert said("contempt", labels=("angry", "sad")).fault == "not one of the labels: 'contempt'"


def test_faults_of_the_exchange() -> None:
    assert said(error="HTTP 500").fault == "error: HTTP 500"
    assert said().fault == "empty answer"
    assert said("happy", finish="content_filter").fault == "refused"
    assert said('{"emotion": "ha', finish="length").fault == "cut off at the limit of tokens"
    assert said('{"emotion": "sad"}', finish="length").emotion == "sad"


@settings(deadline=None)
@given(st.text(), st.sampled_from(["json", "word", "letter", "ratings"]))
def test_no_text_is_too_odd(text: str, form: Form) -> None:
    reading = said(text, text, form=form)
    assert reading.emotion is None or reading.emotion in EMOTIONS
    assert reading.fault is None or reading.emotion is None
    json.dumps(reading.reason + (reading.fault or ""))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from(EMOTIONS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("emotion", "confidence", "reason", *ATTRIBUTES), JSON)
)


@settings(deadline=None)
@given(FIELDS, st.sampled_from(["json", "ratings"]))
def test_no_json_is_too_odd(content: dict[str, object], form: Form) -> None:
    reading = said(json.dumps(content), form=form)
    assert reading.stated is None or 0 <= reading.stated <= 1
    assert len(reading.reason) <= MAX_REASON
    if reading.emotion is not None:
        assert reading.fault is None
        assert isinstance(content["emotion"], str)
    if form == "json" and "emotion" not in content:
        assert reading.fault is not None


@settings(deadline=None)
@given(st.sampled_from(EMOTIONS), st.integers(0, 100), st.text(max_size=400))
def test_what_the_schema_asks_for_is_read_back(emotion: Emotion, percent: int, reason: str) -> None:
    content = {"emotion": emotion, "confidence": percent, "reason": reason}
    wanted = schema("json")
    assert wanted is not None
    assert set(content) == set(wanted["required"]) == set(wanted["properties"])
    reading = said(json.dumps(content))
    assert (reading.emotion, reading.stated) == (emotion, percent / 100)


def test_deeply_nested_and_endless_answers_are_quick() -> None:
    assert said("{" * 1_000_000).fault is not None
    assert said('{"emotion":' * 200_000).fault is not None
    assert said("[" * 1_000_000).fault is not None


def test_samples_vote_and_ties_abstain() -> None:
    texts = ['{"emotion": "sad", "confidence": 80}', '{"emotion": "sad", "confidence": 60}', "happy", "what?"]
    reading = said(*texts)
    assert (reading.emotion, reading.agreement, reading.stated) == ("sad", 0.5, pytest.approx(0.7))
    assert reading.distribution == {"sad": pytest.approx(2 / 3), "happy": pytest.approx(1 / 3)}
    tie = said("sad", "happy")
    assert (tie.emotion, tie.agreement, tie.fault) == (None, 0.0, None)
    assert said("?", "").fault is not None
    assert said("NA", "NA", "sad").emotion is None


def test_letters_by_their_probabilities() -> None:
    logprobs = dict.fromkeys(LETTERS, -5.0) | {"S": -0.5, "N": -1.0}
    reading = said("N", form="letter", letter_logprobs=logprobs)
    assert reading.emotion == "sad"
    assert reading.distribution is not None
    assert sum(reading.distribution.values()) == pytest.approx(1)
    assert reading.likelihood == reading.distribution["sad"] > reading.distribution["neutral"]
    assert reading.distribution["sad"] / reading.distribution["neutral"] == pytest.approx(math.exp(0.5))
    two = said("N", form="letter", labels=("neutral", "happy"), letter_logprobs=logprobs)
    assert two.emotion == "neutral"
    assert said("N", form="letter", letter_logprobs={"S": -math.inf}).fault is not None


def test_ratings() -> None:
    answer = {
        "valence": "very low",
        "arousal": "Very_High",
        "dominance": "NA",
        "confidence": 75,
        "reason": "r",
    }
    reading = said(json.dumps(answer), form="ratings")
    assert reading.words == {"valence": "very low", "arousal": "very high", "dominance": None}
    assert reading.stated == 0.75
    assert said(json.dumps(answer | {"valence": "3"}), form="ratings").fault == "not a step of valence: '3'"
    assert said('{"valence": "low"}', form="ratings").fault is not None
    other = json.dumps(answer | {"valence": "low"})
    voted = said(other, other, json.dumps(answer), form="ratings")
    assert voted.words is not None
    assert voted.words["valence"] == "low"
    assert voted.agreement == pytest.approx((2 / 3 + 1 + 1) / 3)


def test_instructions_name_every_label() -> None:
    for form in ("json", "word", "letter"):
        assert all(emotion in instruction(form) for emotion in EMOTIONS)
