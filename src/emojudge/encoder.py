"""The encoder: windows of several utterances together, a bounded amount at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE, Samples
from emojudge.bundle.format import AcousticPart
from emojudge.bundle.sessions import AcousticSession
from emojudge.fusion.adaptation import adapt
from emojudge.records import Transcript, Utterance

Adapt = Literal["collection", "speaker"]

PENDING = 300 * SAMPLE_RATE  # samples that are held decoded at a time, whatever the recordings' lengths


@dataclass
class Heard:
    """An utterance whose words are known and whose audio is, window by window, being encoded."""

    utterance: Utterance
    transcript: Transcript | None = None
    embeddings: list[NDArray[np.float32]] = field(default_factory=list)  # (features,) each window
    lengths: list[int] = field(default_factory=list)  # samples of each window, as it was encoded
    seconds: float = 0.0  # of the whole recording, quiet ends included
    notes: list[str] = field(default_factory=list)


class Encoder:
    """Collects windows of several utterances and encodes them together, a bounded amount at a time."""

    def __init__(self, session: AcousticSession | None) -> None:
        self._session = session
        self._waiting: list[tuple[Heard, Samples]] = []
        self._samples = 0

    @property
    def idle(self) -> bool:
        """Whether every window that was added has been encoded."""
        return not self._waiting

    def add(self, heard: Heard, window: Samples) -> None:
        """Have a window of an utterance encoded, now if PENDING samples are waiting."""
        self._waiting.append((heard, window))
        heard.lengths.append(len(window))
        self._samples += len(window)
        if self._samples >= PENDING:
            self.flush()

    def forget(self, utterance: Utterance) -> None:
        """Drop the windows of an utterance whose recording turned out to be unusable further on."""
        self._waiting = [(h, w) for h, w in self._waiting if h.utterance is not utterance]

    def flush(self) -> None:
        """Encode what is waiting, and give each utterance its windows' embeddings."""
        if self._waiting and self._session is not None:
            embeddings = self._session.embed([window for _, window in self._waiting])
            for (heard, _), embedding in zip(self._waiting, embeddings, strict=True):
                heard.embeddings.append(embedding)
        self._waiting, self._samples = [], 0


def adapt_voices(heard: Sequence[Heard], part: AcousticPart, adapt_to: Adapt) -> None:
    """Map the windows of all utterances, or of each speaker's, onto the statistics of the training split."""
    voiced = [item for item in heard if item.embeddings]
    if not voiced:
        return
    groups: list[str | None] = []
    for item in voiced:
        group = item.utterance.speaker if adapt_to == "speaker" else None
        groups += [group] * len(item.embeddings)
    stacked = np.stack([row for item in voiced for row in item.embeddings])
    mean, deviation = np.array(part.embedding_mean), np.array(part.embedding_deviation)
    adapted = iter(adapt(stacked, groups, mean, deviation))
    for item in voiced:
        item.embeddings = [next(adapted) for _ in item.embeddings]
