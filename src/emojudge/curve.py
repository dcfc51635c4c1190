"""Curves of the voice: how aroused, pleased and dominant it sounds in windows that slide over a segment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from emojudge.audio.decode import SAMPLE_RATE, Audio
from emojudge.audio.segment import Piece, Span
from emojudge.recognizer import Predictor
from emojudge.records import Failure, Point, Prediction, Transcript, Utterance

WINDOW, HOP = 4.0, 1.0  # seconds: what a point of the curves hears, and from one to the next
SILENT = Transcript(text="", source="not asked")  # of a window: judged by the voice, nothing written down


@dataclass(frozen=True)
class Curve:
    """Windows that slide over a segment."""

    window: float  # seconds
    hop: float  # seconds; 0: no curve

    def points(
        self, recognizer: Predictor, batch: Sequence[Piece], predictions: Sequence[Prediction | Failure]
    ) -> Iterator[list[Point]]:
        """The points of each segment; a segment of one window's length has its own prediction for one."""
        times = [self._times(span) for span, _ in batch]
        heard = recognizer.predict(
            (Utterance(id="window", transcript=SILENT), _part(piece, time, self.window))
            for piece, starts in zip(batch, times, strict=True)
            for time in starts
        )
        for (span, _), starts, result in zip(batch, times, predictions, strict=True):
            found = [(span.start + time + self.window / 2, next(heard)) for time in starts]
            if not starts and self.hop:
                found = [((span.start + span.end) / 2, result)]
            yield [
                Point(time=time, attributes=each.audio.attributes)
                for time, each in found
                if isinstance(each, Prediction) and each.audio is not None
            ]

    def _times(self, span: Span) -> list[float]:
        """Where the windows begin, seconds from the segment's start; none where it is one itself."""
        seconds = span.end - span.start
        if not self.hop or seconds <= self.window + self.hop:
            return []
        return [n * self.hop for n in range(int((seconds - self.window) / self.hop) + 1)]


def _part(piece: Piece, start: float, seconds: float) -> Audio:
    begin = round(start * SAMPLE_RATE)
    samples = piece[1][begin : begin + round(seconds * SAMPLE_RATE)]
    return Audio(samples, len(samples) / SAMPLE_RATE, "window")
