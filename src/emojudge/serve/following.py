"""Recordings and streams cut into pieces of a fixed length, until there are segments at pauses."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from emojudge.audio.decode import MIN_SECONDS, SAMPLE_RATE, Audio, Samples
from emojudge.errors import EmojudgeError
from emojudge.recognizer import Recognizer
from emojudge.records import Failure, Passage, Point, Utterance

PIECE = 6 * SAMPLE_RATE  # samples


@dataclass(frozen=True)
class Span:
    """Where a segment lies, in seconds."""

    start: float
    end: float
    speaker: str | None = None


class Segmenter:
    """Cuts every 6 s."""

    def __init__(self) -> None:
        self._held = np.empty(0, np.float32)
        self._at = 0

    def push(self, samples: Samples) -> list[tuple[Span, Samples]]:
        """The pieces that have ended."""
        self._held = np.concatenate([self._held, samples])
        found = []
        while len(self._held) >= PIECE:
            found.append(self._cut(PIECE))
        return found

    def finish(self) -> list[tuple[Span, Samples]]:
        """What is left."""
        return [self._cut(len(self._held))] if len(self._held) >= MIN_SECONDS * SAMPLE_RATE else []

    def _cut(self, count: int) -> tuple[Span, Samples]:
        piece, self._held = self._held[:count], self._held[count:]
        start, self._at = self._at, self._at + count
        return Span(start / SAMPLE_RATE, self._at / SAMPLE_RATE), piece


def follow(
    recognizer: Recognizer,
    blocks: Iterable[Samples],
    *,
    id: str,  # noqa: A002
) -> Iterator[Passage | Point | Failure]:
    """Passages as they end; what is wrong with the recording itself is a last failure with `id`."""
    segmenter = Segmenter()

    def predicted(pieces: list[tuple[Span, Samples]]) -> Iterator[Passage | Point | Failure]:
        for span, samples in pieces:
            name = f"{id}#t={span.start:g},{span.end:g}"
            audio = Audio(samples, len(samples) / SAMPLE_RATE, name)
            for result in recognizer.predict([(Utterance(id=name), audio)]):
                if isinstance(result, Failure):
                    yield result
                else:
                    yield Passage(start=span.start, end=span.end, prediction=result)

    try:
        for block in blocks:
            yield from predicted(segmenter.push(block))
    except EmojudgeError as error:
        yield from predicted(segmenter.finish())
        yield Failure(id=id, error=str(error))
        return
    yield from predicted(segmenter.finish())
