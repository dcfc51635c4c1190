"""An utterance on its way through the judge."""

from concurrent.futures import Future
from dataclasses import dataclass

from emojudge.judge.evidence import Unheard, evidence_of
from emojudge.judge.exchange import Answer
from emojudge.records import Evidence, Prediction

Given = Prediction | Evidence | Unheard


@dataclass
class Case:
    """An utterance on its way: why it was not sent, or the request's key and the answer to come."""

    evidence: Evidence
    why: str
    key: str | None = None
    answer: Answer | Future[Answer] | None = None

    @property
    def is_ready(self) -> bool:
        """Whether nobody need be waited for."""
        return not isinstance(self.answer, Future) or self.answer.done()

    def came(self) -> Answer:
        """The answer, once it is there."""
        assert self.answer is not None
        return self.answer.result() if isinstance(self.answer, Future) else self.answer


def told_of(item: Given) -> Evidence | Unheard:
    """What is known of a prediction, or the evidence as it is."""
    return evidence_of(item) if isinstance(item, Prediction) else item


def seen(told: Evidence | Unheard) -> Evidence:
    """The evidence without a voice that is still to be measured: enough for a gate."""
    return told.evidence if isinstance(told, Unheard) else told


def whole(told: Evidence | Unheard) -> Evidence:
    """The evidence with its voice, which is measured now."""
    return told.heard() if isinstance(told, Unheard) else told
