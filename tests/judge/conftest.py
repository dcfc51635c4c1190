"""Utterances as a judge sees them, and language models that are a function."""

from collections.abc import Callable
from typing import Any

import pytest

from emojudge.emotions import EMOTIONS, Emotion
from emojudge.judge.exchange import Answer, Request, Usage
from emojudge.records import Attributes, Evidence, Transcript

MakeEvidence = Callable[..., Evidence]


class Model:
    """A provider that answers by a function of the request, and counts what it was asked."""

    def __init__(self, rule: Callable[[Request], str | Answer], concurrency: int = 1) -> None:
        self.name, self.model, self.concurrency = "test/model", "model-1", concurrency
        self.rule = rule
        self.asked: list[Request] = []

    def ask(self, request: Request) -> Answer:
        self.asked.append(request)
        said = self.rule(request)
        if isinstance(said, Answer):
            return said
        return Answer(request.key, (said,), model="model-1-0613", usage=Usage(100, 10), finish="stop")


@pytest.fixture
def model() -> type[Model]:
    return Model


@pytest.fixture
def evidence() -> MakeEvidence:
    """An utterance by its words, the recogniser's emotion and its score."""

    def make(
        text: str = "Well, that is just great.",
        emotion: Emotion = "happy",
        score: float = 0.5,
        id: str | None = None,  # noqa: A002 - as the record calls it
        **more: Any,
    ) -> Evidence:
        rest = (1 - score) / (len(EMOTIONS) - 1)
        fields: dict[str, Any] = {
            "id": id or f"u:{text}:{emotion}",
            "transcript": Transcript(text=text, source="given"),
            "emotion": emotion,
            "scores": {e: score if e == emotion else rest for e in EMOTIONS},
            "attributes": Attributes(valence=4.0, arousal=4.0, dominance=4.0),
        }
        return Evidence(**(fields | more))

    return make
