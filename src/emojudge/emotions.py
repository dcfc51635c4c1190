"""The eight emotions and three attributes: names, order, letters, scales, and maps from other label sets."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Emotion = Literal["angry", "sad", "happy", "surprise", "fear", "disgust", "contempt", "neutral"]
EMOTIONS: tuple[Emotion, ...] = get_args(Emotion)  # the order of every array of logits or scores
LETTERS: dict[str, Emotion] = dict(zip("ASHUFDCN", EMOTIONS, strict=True))  # MSP-Podcast's EmoClass

# What MSP-Podcast's raters could tick beside the one emotion of a recording; words of their own are "other".
SECONDARY: tuple[str, ...] = (
    "angry", "sad", "happy", "amused", "neutral", "frustrated", "depressed", "surprise", "concerned",
    "disgust", "disappointed", "excited", "confused", "annoyed", "fear", "contempt", "other",
)  # fmt: skip

Attribute = Literal["valence", "arousal", "dominance"]
ATTRIBUTES: tuple[Attribute, ...] = get_args(Attribute)
SCALE_MIN, SCALE_MAX = 1.0, 7.0  # self-assessment manikins: 1 negative/calm/weak, 7 positive/excited/strong
SCALE_MIDDLE, SCALE_HALF = 4.0, 3.0  # models learn and give attributes on -1..1

# Mean pleasure, arousal and dominance of emotion words on -1..1: Russell & Mehrabian, "Evidence for a
# three-factor theory of emotions", Journal of Research in Personality 11 (1977), 273-294. Neutral is the
# origin. Contempt is not among the figures we could check; it lies halfway between anger and disgust here,
# as Plutchik (1980) describes it.
_COORDINATES: dict[Emotion, tuple[float, float, float]] = {
    "angry": (-0.51, 0.59, 0.25),
    "sad": (-0.63, -0.27, -0.33),
    "happy": (0.81, 0.51, 0.46),
    "surprise": (0.40, 0.67, -0.13),
    "fear": (-0.64, 0.60, -0.43),
    "disgust": (-0.60, 0.35, 0.11),
    "contempt": (-0.555, 0.47, 0.18),
    "neutral": (0.0, 0.0, 0.0),
}
COORDINATES: NDArray[np.float32] = np.array(
    [[SCALE_MIDDLE + SCALE_HALF * axis for axis in _COORDINATES[emotion]] for emotion in EMOTIONS],
    dtype=np.float32,
)  # (emotions, attributes), 1..7

_SYNONYMS: dict[str, Emotion] = {
    "anger": "angry",
    "sadness": "sad",
    "happiness": "happy",
    "joy": "happy",
    "surprised": "surprise",
    "fearful": "fear",
    "fearfulness": "fear",
    "disgusted": "disgust",
    "contemptuous": "contempt",
    "calm": "neutral",
}


def parse_emotion(label: str) -> Emotion | None:
    """The emotion that a label names by its full name, MSP-Podcast letter or a common synonym; else None.

    >>> parse_emotion("Happiness"), parse_emotion("U"), parse_emotion("boredom")
    ('happy', 'surprise', None)
    """
    name = label.strip()
    if name.upper() in LETTERS:
        return LETTERS[name.upper()]
    name = name.lower()
    if name in EMOTIONS:
        return name
    return _SYNONYMS.get(name)


def attributes_of(scores: ArrayLike) -> NDArray[np.float32]:
    """Expected valence, arousal and dominance (1..7) under category scores `(..., emotions)`.

    A derivation, not a measurement: the scores weight published mean coordinates of the emotion words.
    """
    return np.asarray(scores, dtype=np.float32) @ COORDINATES


def scores_by_name(scores: Iterable[float]) -> dict[Emotion, float]:
    """Scores in the standard order as a mapping from emotion to score."""
    return {emotion: float(score) for emotion, score in zip(EMOTIONS, scores, strict=True)}


def scores_in_order(scores: Mapping[Emotion, float]) -> NDArray[np.float32]:
    """A mapping from emotion to score as an array `(emotions,)` in the standard order."""
    return np.array([scores[emotion] for emotion in EMOTIONS], dtype=np.float32)
