"""The words of a recording, dealt out to its segments."""

from bisect import bisect_left
from collections.abc import Iterator

from emojudge.audio.segment import Span
from emojudge.errors import TranscriptError
from emojudge.records import Failure, Segment, Transcript


class Words:
    """Deals out what is said in a recording to its segments as they come: its turn's words, or a share.

    Args:
        transcript: of the recording, with times; each of its segments goes where its middle lies.
        turns_source: who wrote down the words of turns that have some.

    >>> said = Segment(start=0.4, end=0.9, text="Yes.")
    >>> words = Words(Transcript(text="Yes.", source="given", segments=(said,)), "given")
    >>> words.of(Span(2.0, 3.0)).text, words.of(Span(0.0, 1.0)).text, list(words.failures("call"))
    ('', 'Yes.', [])
    """

    def __init__(self, transcript: Transcript | None, turns_source: str) -> None:
        self._transcript = transcript
        self._turns_source = turns_source
        self._said = sorted(transcript.segments, key=_middle) if transcript else []
        self._middles = [_middle(said) for said in self._said]
        self._taken: set[int] = set()
        self._at = 0.0  # where the last segment ended

    def of(self, span: Span) -> Transcript | None:
        """What is said in a segment, with times from its start; None where nobody wrote anything down."""
        if span.text is not None:
            said = Segment(start=0.0, end=span.end - span.start, text=span.text, speaker=span.speaker)
            return Transcript(text=span.text, source=self._turns_source, segments=(said,))
        if self._transcript is None:
            return None
        first = bisect_left(self._middles, min(self._at, span.start))
        last = bisect_left(self._middles, span.end)
        places = [n for n in range(first, last) if n not in self._taken and self._belongs(n, span)]
        self._taken.update(places)
        self._at = max(self._at, span.end)
        here = [self._said[n] for n in places]
        text = " ".join(s.text for s in here)
        placed = tuple(
            Segment(
                start=max(0.0, s.start - span.start),
                end=max(0.0, min(s.end, span.end) - span.start),
                text=s.text,
                speaker=s.speaker,
            )
            for s in here
        )
        return self._transcript.model_copy(update={"text": text, "segments": placed})

    def _belongs(self, place: int, span: Span) -> bool:
        """Its middle lies in the segment, or in the pause before it and its end in the segment."""
        middle, end = self._middles[place], self._said[place].end
        return span.start <= middle < span.end or self._at <= middle < span.start < end

    def failures(self, name: str) -> Iterator[Failure]:
        """Words where no segment is, of the recording of this name; to be asked when all segments were."""
        for said in (said for place, said in enumerate(self._said) if place not in self._taken):
            error = TranscriptError(
                f"the words at {said.start:g} s", found="no speech there", expected="a voice that says them"
            )
            yield Failure(id=Span(said.start, said.end).id_in(name), error=str(error))


def _middle(said: Segment) -> float:
    return (said.start + said.end) / 2
