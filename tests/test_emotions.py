"""Labels, their order, and what other label sets become."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.emotions import (
    ATTRIBUTES,
    COORDINATES,
    EMOTIONS,
    LETTERS,
    SCALE_HALF,
    SCALE_MAX,
    SCALE_MIDDLE,
    SCALE_MIN,
    attributes_of,
    parse_emotion,
    scores_by_name,
    scores_in_order,
)


def test_the_order_never_changes():
    """Bundles and prediction files hold arrays in this order."""
    assert EMOTIONS == ("angry", "sad", "happy", "surprise", "fear", "disgust", "contempt", "neutral")
    assert "".join(LETTERS) == "ASHUFDCN"
    assert [LETTERS[letter] for letter in "ASHUFDCN"] == list(EMOTIONS)
    assert ATTRIBUTES == ("valence", "arousal", "dominance")


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_names_are_read_in_any_case(emotion: str):
    assert parse_emotion(emotion) == parse_emotion(f"  {emotion.upper()} ") == emotion


@pytest.mark.parametrize(
    ("label", "emotion"),
    [("A", "angry"), ("u", "surprise"), ("Joy", "happy"), ("calm", "neutral"), ("fearful", "fear")],
)
def test_letters_and_synonyms(label: str, emotion: str):
    assert parse_emotion(label) == emotion


@pytest.mark.parametrize("label", ["", " ", "boredom", "X", "O", "an", "happyish"])
def test_what_has_no_place_in_the_eight(label: str):
    assert parse_emotion(label) is None


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50, width=32), min_size=8, max_size=8))
def test_scores_by_name_and_back(scores: list[float]):
    named = scores_by_name(scores)
    assert tuple(named) == EMOTIONS
    np.testing.assert_array_equal(scores_in_order(named), np.float32(scores))
    assert scores_in_order(dict(reversed(named.items()))).tolist() == scores_in_order(named).tolist()


def test_a_score_too_few_is_refused():
    with pytest.raises(ValueError, match="zip"):
        scores_by_name([0.1] * 7)
    with pytest.raises(KeyError):
        scores_in_order({"angry": 1.0})


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=8, max_size=8).filter(lambda s: sum(s) > 0.1))
def test_derived_attributes_stay_on_the_scale(scores: list[float]):
    values = attributes_of(np.array(scores) / sum(scores))
    assert values.shape == (3,)
    assert (values >= SCALE_MIN).all()
    assert (values <= SCALE_MAX).all()


def test_derived_attributes_are_where_they_should_be():
    assert (SCALE_MIDDLE - SCALE_HALF, SCALE_MIDDLE + SCALE_HALF) == (SCALE_MIN, SCALE_MAX)
    each = dict(zip(EMOTIONS, attributes_of(np.eye(8)), strict=True))
    np.testing.assert_allclose(attributes_of(np.eye(8)), COORDINATES)
    np.testing.assert_allclose(each["neutral"], [4, 4, 4])
    assert max(each, key=lambda e: each[e][0]) == "happy"
    assert min(each, key=lambda e: each[e][1]) == "sad"
    assert each["angry"][2] > 4 > each["fear"][2]  # anger is strong, fear is weak
    np.testing.assert_allclose(each["contempt"], (each["angry"] + each["disgust"]) / 2, atol=1e-6)
    half = np.array([0, 0, 0.5, 0, 0, 0, 0, 0.5])
    np.testing.assert_allclose(attributes_of(half), (each["happy"] + each["neutral"]) / 2, atol=1e-6)
    assert attributes_of(np.full((2, 5, 8), 1 / 8)).shape == (2, 5, 3)
