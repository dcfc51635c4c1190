"""Predictions in the shape of Hume's batch API, for programs that were written for it.

Hume's Expression Measurement API ended in June 2026. What it called prosody: for every file, segments with
their times, text, and a score for each emotion. The names are Hume's where both have the emotion; the eight
scores here are probabilities that sum to 1, while Hume's 48 were independent of each other.
"""

from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from emojudge.emotions import Emotion
from emojudge.records import Failure, Prediction, Timeline

NAMES: dict[Emotion, str] = {
    "angry": "Anger",
    "sad": "Sadness",
    "happy": "Joy",
    "surprise": "Surprise",  # Hume had a positive and a negative one
    "fear": "Fear",
    "disgust": "Disgust",
    "contempt": "Contempt",
    "neutral": "Neutral",  # Hume had none; Calmness came nearest
}


class EmotionScore(BaseModel):
    """A name and a probability."""

    name: str
    score: float


class Time(BaseModel):
    """Seconds from the recording's start."""

    begin: float
    end: float


class Segment(BaseModel):
    """A stretch of speech."""

    text: str | None
    time: Time
    confidence: float | None  # Hume's was of its speech recogniser: always null here
    speaker_confidence: float | None
    emotions: list[EmotionScore]


class Group(BaseModel):
    """The segments of a speaker."""

    id: str
    predictions: list[Segment]


class Prosody(BaseModel):
    """The segments of a file."""

    metadata: None
    grouped_predictions: list[Group]


class Models(BaseModel):
    """Of Hume's models, the one there is."""

    prosody: Prosody


class FilePrediction(BaseModel):
    """A file that could be used."""

    file: str
    file_type: str
    models: Models


class Error(BaseModel):
    """A file or segment that could not."""

    message: str
    file: str


class Results(BaseModel):
    """What was found, and what was not."""

    predictions: list[FilePrediction]
    errors: list[Error]


class Source(BaseModel):
    """What was sent."""

    type: str
    filename: str


class File(BaseModel):
    """A file and its results."""

    source: Source
    results: Results


def of_results(results: Iterable[Prediction | Failure]) -> list[File]:
    """Short recordings: each a file with one segment."""
    return [
        _file(result.id, [], [result.error])
        if isinstance(result, Failure)
        else _file(result.id, [(None, _segment(result, 0.0, result.seconds or 0.0))], [])
        for result in results
    ]


def of_timeline(timeline: Timeline) -> list[File]:
    """A long recording: one file, its segments grouped by speaker."""
    segments = [(p.speaker, _segment(p.prediction, p.start, p.end)) for p in timeline.passages]
    return [_file(timeline.id, segments, [failure.error for failure in timeline.failures])]


def _file(name: str, segments: Sequence[tuple[str | None, Segment]], errors: list[str]) -> File:
    groups = [
        Group(id=speaker or "unknown", predictions=[found for who, found in segments if who == speaker])
        for speaker in dict.fromkeys(speaker for speaker, _ in segments)
    ]
    models = Models(prosody=Prosody(metadata=None, grouped_predictions=groups))
    found = [FilePrediction(file=name, file_type="audio", models=models)] if segments else []
    return File(
        source=Source(type="file", filename=name),
        results=Results(predictions=found, errors=[Error(message=error, file=name) for error in errors]),
    )


def _segment(prediction: Prediction, begin: float, end: float) -> Segment:
    return Segment(
        text=prediction.transcript.text if prediction.transcript else None,
        time=Time(begin=begin, end=end),
        confidence=None,
        speaker_confidence=None,
        emotions=[
            EmotionScore(name=NAMES[emotion], score=score) for emotion, score in prediction.scores.items()
        ],
    )
