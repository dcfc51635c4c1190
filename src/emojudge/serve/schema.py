"""What goes over the wire, beside the library's own records: requests, answers, and their examples."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from emojudge.emotions import EMOTIONS, Emotion
from emojudge.records import Attributes, Failure, Passage, Prediction, Timeline

State = Literal["queued", "running", "done", "failed", "cancelled"]
JobId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]

OPINION: dict[str, Any] = {
    "logits": dict(zip(EMOTIONS, (-0.2, -1.4, 2.1, 0.3, -2.0, -2.2, -1.9, 0.8), strict=True)),
    "scores": dict(zip(EMOTIONS, (0.06, 0.02, 0.59, 0.1, 0.01, 0.01, 0.01, 0.2), strict=True)),
    "attributes": {"valence": 5.3, "arousal": 4.9, "dominance": 4.4},
}
PREDICTION: dict[str, Any] = {
    "id": "call.wav",
    "emotion": "happy",
    "scores": OPINION["scores"],
    "attributes": OPINION["attributes"],
    "attributes_from": {"valence": "mixed", "arousal": "model", "dominance": "model"},
    "modalities": ["audio", "text"],
    "audio": OPINION,
    "text": OPINION,
    "transcript": {"text": "That is great news!", "source": "given"},
    "seconds": 2.4,
    "bundle": "embedded",
    "notes": ["upsampled from 8000 Hz"],
}
PASSAGE: dict[str, Any] = {"start": 0.8, "end": 3.2, "speaker": "A", "prediction": PREDICTION}
JOB: dict[str, Any] = {
    "id": "5f0c954e0d2f4bd9a2c1f6ad0ea1d6ee",
    "name": "call.wav",
    "state": "running",
    "created": "2026-05-04T10:00:00+00:00",
    "attempts": 1,
    "seconds": 312.5,
    "passages": 41,
}
CORRECTION: dict[str, Any] = {
    "job": JOB["id"],
    "passage": 3,
    "emotion": "sad",
    "before": "neutral",
    "audio_kept": True,
    "created": "2026-05-04T10:21:00+00:00",
}


class Body(BaseModel):
    """A request's or an answer's JSON."""

    model_config = ConfigDict(extra="forbid")


class Input(Body):
    """An input without upload: words, an address where the server allows it, or both."""

    id: str | None = Field(default=None, max_length=200)
    url: str | None = Field(default=None, max_length=2_000)
    transcript: str | None = Field(default=None, max_length=20_000)


class PredictRequest(Body):
    """Inputs that need no upload."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"inputs": [{"transcript": "That is great news!"}]}]}
    )

    inputs: list[Input] = Field(min_length=1, max_length=64)


class PredictResponse(Body):
    """A prediction or a failure for every input, in their order."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"results": [PREDICTION]}]})

    results: list[Prediction | Failure]


class JobRequest(Body):
    """A recording for a job that is not uploaded."""

    url: str = Field(max_length=2_000)


class Job(Body):
    """A long recording's way through the server."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [JOB]})

    id: str
    name: str
    state: State
    created: str  # ISO 8601, UTC
    started: str | None = None
    finished: str | None = None
    attempts: int = 0  # how often it was begun: more than once where the server was stopped meanwhile
    seconds: float = 0.0  # of the recording, done so far
    passages: int = 0  # found so far
    error: str | None = None
    audio_kept: bool = False
    timeline: Timeline | None = None  # what was found so far; all of it when the state is `done`


class Jobs(Body):
    """All jobs, the newest first, without their timelines."""

    jobs: list[Job]


class CorrectionRequest(Body):
    """What a person says a passage of a job really is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"job": JOB["id"], "passage": 3, "emotion": "sad"}]},
    )

    job: JobId
    passage: int = Field(ge=0, lt=2**31)  # its place among the job's passages, from 0
    emotion: Emotion
    attributes: Attributes | None = None
    transcript: str | None = Field(default=None, max_length=20_000)  # where the words were wrong, too


class Correction(CorrectionRequest):
    """A correction as it is kept; a later one of the same passage takes its place."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [CORRECTION]})

    before: Emotion
    audio_kept: bool
    created: str


class Corrections(Body):
    """Corrections by job and passage."""

    corrections: list[Correction]


class Doubtful(Body):
    """A passage that a person should look at."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"job": JOB["id"], "number": 3, "doubt": 0.97, "passage": PASSAGE}]},
    )

    job: str
    number: int
    doubt: float  # 0..1: 1 less the distance between the two most likely emotions' scores
    passage: Passage


class DoubtfulResponse(Body):
    """The most doubtful first."""

    passages: list[Doubtful]


class Models(Body):
    """What the server runs."""

    bundle: str
    modalities: list[str]
    emotions: list[str]
    transcriber: str | None
    judge: str | None
    version: str
    longest_prediction_seconds: float
    longest_job_seconds: float


class Health(Body):
    """Whether the server is there."""

    status: Literal["ok"]


class ProblemDetail(BaseModel):
    """An error (RFC 9457): what was found, what was expected, what to do next."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Entity",
                    "status": 422,
                    "detail": "Found a ZIP archive; expected a recording. Unpack it first.",
                    "found": "a ZIP archive",
                    "expected": "a recording",
                    "advice": "Unpack it first.",
                }
            ]
        }
    )

    type: str
    title: str
    status: int
    detail: str
    found: str
    expected: str
    advice: str | None = None
    where: str | None = None
