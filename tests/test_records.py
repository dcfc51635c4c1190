"""Records: JSON in and out, frozen, without unknown keys."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from emojudge.emotions import EMOTIONS, scores_by_name
from emojudge.records import Attributes, Failure, Opinion, Prediction, Segment, Transcript, Utterance

finite = st.floats(-1e6, 1e6)
scale = st.floats(1, 7)
attributes = st.builds(Attributes, valence=scale, arousal=scale, dominance=scale)
named = st.tuples(*[finite] * len(EMOTIONS)).map(scores_by_name)
transcripts = st.builds(
    Transcript,
    text=st.text(),
    source=st.text(),
    segments=st.lists(st.builds(Segment, start=st.floats(0, 1e5), end=st.floats(0, 1e5), text=st.text())).map(
        tuple
    ),
)
opinions = st.builds(Opinion, logits=named, scores=named, attributes=attributes)
predictions = st.builds(
    Prediction,
    id=st.text(),
    emotion=st.sampled_from(EMOTIONS),
    scores=named,
    attributes=attributes,
    attributes_from=st.just({"valence": "model", "arousal": "mixed", "dominance": "derived"}),
    modalities=st.sampled_from([("audio",), ("text",), ("audio", "text")]),
    audio=st.none() | opinions,
    transcript=st.none() | transcripts,
    bundle=st.text(),
    notes=st.lists(st.text()).map(tuple),
)


@settings(max_examples=30, deadline=None)
@given(predictions)
def test_predictions_come_back_from_json(prediction: Prediction):
    text = prediction.model_dump_json()
    assert Prediction.model_validate_json(text) == prediction
    assert list(json.loads(text)["scores"]) == list(EMOTIONS)


def test_utterances_come_back_from_json(tmp_path: Path):
    utterance = Utterance(
        id="a",
        audio=tmp_path / "ä b.wav",
        transcript=Transcript(text="so", source="x"),
        votes={"sad": 0.5, "happy": 0.5},
        attributes=Attributes(valence=1, arousal=7, dominance=3.5),
    )
    assert Utterance.model_validate_json(utterance.model_dump_json()) == utterance


def test_records_are_frozen():
    failure = Failure(id="a", error="b")
    with pytest.raises(ValidationError, match="frozen"):
        failure.error = "c"
    assert failure == Failure(id="a", error="b")


@pytest.mark.parametrize(
    ("record", "values"),
    [
        (Utterance, {"id": "a", "emotion": "boredom"}),
        (Utterance, {"id": "a", "speeker": "b"}),
        (Utterance, {"id": "a", "votes": {"boredom": 1.0}}),
        (Utterance, {"id": "a", "gender": "unknown"}),
        (Attributes, {"valence": 0.9, "arousal": 4, "dominance": 4}),
        (Attributes, {"valence": 4, "arousal": 7.1, "dominance": 4}),
        (Attributes, {"valence": float("nan"), "arousal": 4, "dominance": 4}),
        (Segment, {"start": -1, "end": 2, "text": "so"}),
    ],
)
def test_what_is_out_of_range_or_unknown_is_refused(record: type, values: dict):
    with pytest.raises(ValidationError):
        record(**values)
