"""What crosses a boundary: utterances in, predictions out. Frozen, typed, JSON in and out."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from emojudge.emotions import SCALE_MAX, SCALE_MIN, Attribute, Emotion

Modality = Literal["audio", "text"]


class Record(BaseModel):
    """A frozen record; `model_dump_json()` and `model_validate_json()` are its two ways."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Segment(Record):
    """A stretch of a transcript; times in seconds from the start of the recording."""

    start: float = Field(ge=0)
    end: float = Field(ge=0)
    text: str
    speaker: str | None = None


class Transcript(Record):
    """What was said, and who says so: an engine's name and version, or the file it was read from."""

    text: str
    source: str
    language: str | None = None
    segments: tuple[Segment, ...] = ()


class Attributes(Record):
    """Valence, arousal and dominance on 1..7 (1 negative, calm, weak; 7 positive, excited, strong)."""

    valence: float = Field(ge=SCALE_MIN, le=SCALE_MAX)
    arousal: float = Field(ge=SCALE_MIN, le=SCALE_MAX)
    dominance: float = Field(ge=SCALE_MIN, le=SCALE_MAX)


class Utterance(Record):
    """One stretch of speech by one speaker, as audio, text, or both; with labels where a corpus has them."""

    id: str
    audio: Path | None = None
    transcript: Transcript | None = None
    speaker: str | None = None
    gender: Literal["female", "male"] | None = None
    language: str | None = None
    split: str | None = None
    emotion: Emotion | None = None
    # The corpus's own label in words, where the eight say less: "no agreement", "boredom", "calm" ...
    label: str | None = None
    intensity: str | None = None  # how strongly it was acted, in the corpus's words: "normal", "strong" ...
    votes: dict[Emotion, float] | None = (
        None  # soft targets, summing to 1: of the raters who named an emotion
    )
    other_votes: float | None = Field(
        default=None, ge=0, le=1
    )  # the share of raters who named none of the eight
    secondary: dict[str, float] | None = None  # the share of raters who ticked this too, such as "concerned"
    attributes: Attributes | None = None
    words_per_second: float | None = Field(default=None, gt=0)  # from an alignment, pauses included
    recording: str | None = None  # the recording or dialogue that it is a turn of
    position: float | None = None  # where in it: the seconds of its start, or the number of the turn


class Opinion(Record):
    """What one modality's model makes of an utterance."""

    logits: dict[Emotion, float]
    scores: dict[Emotion, float]
    attributes: Attributes


class Prediction(Record):
    """The fused emotion of an utterance, its calibrated scores, and both opinions under it."""

    id: str
    emotion: Emotion
    scores: dict[Emotion, float]
    attributes: Attributes
    attributes_from: dict[Attribute, Literal["model", "derived", "mixed"]]  # derived: from the scores
    modalities: tuple[Modality, ...]
    audio: Opinion | None = None
    text: Opinion | None = None
    transcript: Transcript | None = None
    seconds: float | None = None
    adapted: Literal["collection", "speaker"] | None = None
    bundle: str
    engine: str | None = None  # what ran the bundle's models, such as "openvino:bfloat16"
    notes: tuple[str, ...] = ()  # what a reader of this row should know: clipping, silence, no transcript …
    verdict: "Verdict | None" = None  # of a judge, where one was asked; nothing above is changed by it


class Passage(Record):
    """A segment of a recording, in seconds from its start, and what was predicted for it."""

    start: float = Field(ge=0)
    end: float = Field(ge=0)
    speaker: str | None = None
    prediction: Prediction


class Point(Record):
    """The attributes of the voice around one moment, in seconds: one point of a recording's curves."""

    time: float = Field(ge=0)
    attributes: Attributes


class Timeline(Record):
    """A recording from beginning to end: its passages in order, the curves between them, what failed."""

    id: str
    seconds: float
    bundle: str
    passages: tuple[Passage, ...] = ()
    points: tuple[Point, ...] = ()
    failures: "tuple[Failure, ...]" = ()
    notes: tuple[str, ...] = ()


class Failure(Record):
    """An input that gave no prediction, and why."""

    id: str
    error: str


Bin = Literal["very low", "low", "moderate", "high", "very high"]


class Measure(Record):
    """One measured property of the voice: the figure, and where it lies among others of its kind."""

    value: float
    unit: str
    bin: Bin | None = None
    reference: Literal["speaker", "gender", "overall"] | None = None  # whose quantiles made the bin


class Turn(Record):
    """An earlier turn of the same recording."""

    speaker: str | None = None
    text: str


class Evidence(Record):
    """What a judge is told of an utterance: the words, the voice in words, and what the models made of it."""

    id: str
    transcript: Transcript | None = None
    speaker: str | None = None
    gender: Literal["female", "male"] | None = None
    turns: tuple[Turn, ...] = ()  # earlier turns, oldest first
    seconds: float | None = None
    measures: dict[str, Measure] = {}  # by name, such as "pitch_range"; empty without audio
    extractor: str | None = None  # the pitch tracker and its version
    emotion: Emotion  # the recogniser's
    scores: dict[Emotion, float]
    attributes: Attributes | None = None
    audio_scores: dict[Emotion, float] | None = None
    text_scores: dict[Emotion, float] | None = None
    conflict: bool | None = None  # voice and words disagree; None where there is only one of them


class Verdict(Record):
    """What became of a prediction: kept, changed, or not judged, and why."""

    id: str
    emotion: Emotion  # after the judge
    before: Emotion  # the recogniser's
    scores: dict[Emotion, float]  # after the judge
    changed: bool
    # passed: the gate did not send it; abstained: NA, or too little confidence; failed: no usable answer
    status: Literal["passed", "confirmed", "changed", "abstained", "failed"]
    proposed: Emotion | None = None  # what the judge answered, whatever became of it
    confidence: float | None = None  # 0..1, calibrated where the bundle has a calibration
    reason: str = ""
    provider: str = ""
    model: str = ""
    attributes: Attributes | None = None  # after the judge, where it judged them
    notes: tuple[str, ...] = ()
