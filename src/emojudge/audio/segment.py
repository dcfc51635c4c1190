"""A recording of any length, or a live stream, as segments of speech: cut at pauses, or at given turns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from emojudge.audio.decode import SAMPLE_RATE, Samples
from emojudge.audio.vad import FRAME, Probabilities, VoiceActivity
from emojudge.errors import TranscriptError
from emojudge.records import Segment

SHORTEST, LONGEST = 1.0, 12.0  # seconds of a segment, where the speech allows
SPEECH, STILL = 0.5, 0.35  # a frame's probability from which speech begins, and to which it goes on; Silero's
PAUSE = round(0.3 * SAMPLE_RATE / FRAME)  # frames without speech that end a segment
NEAR = round(0.7 * SAMPLE_RATE / FRAME)  # frames; speech under SHORTEST waits so long for more
CLICK = 3  # frames, 0.1 s: less speech than that between pauses is none
MARGIN = 1_600  # samples, 0.1 s: soft beginnings and ends belong to a segment
WORDY = 60.0  # seconds; a longer turn is cut at pauses, though nobody knows which words go where
TOGETHER = 16  # turns at one moment: more is no conversation

_MIN = -int(-SHORTEST * SAMPLE_RATE // FRAME)  # frames
_MAX = int(LONGEST * SAMPLE_RATE - 2 * MARGIN) // FRAME


@dataclass(frozen=True)
class Span:
    """Where a segment lies, in seconds from the recording's start, to the sample; whose turn it is."""

    start: float
    end: float
    speaker: str | None = None
    text: str | None = None  # the turn's words, where they were given

    def id_in(self, recording: str) -> str:
        """The segment's id: the part of the recording as W3C's Media Fragments name it."""
        return f"{recording}#t={self.start:.3f},{self.end:.3f}"


Piece = tuple[Span, Samples]


class Activity(Protocol):
    """What tells speech from silence, see `vad.VoiceActivity`."""

    def push(self, samples: Samples) -> Probabilities:
        """Probabilities `(frames,)` of the frames of FRAME samples that are complete."""
        ...

    def finish(self) -> Probabilities:
        """Probabilities `(frames,)` of the rest."""
        ...


class Segmenter:
    """Cuts one recording into segments as its samples come, in constant memory.

    Without turns, it cuts at pauses. Segments last 1 to 12 s where the speech allows: over shorter pauses
    than 0.3 s speech goes on; where it lasts too long, it is cut at its longest pause, or without any where
    it is quietest. Speech under 1 s waits 0.7 s for more, and joins that; else it is a segment by itself. It
    does not join what was before, which has been given out by then: who listens live cannot wait.

    With turns, each turn is a segment, with its speaker and words. A longer one than 12 s is cut at pauses,
    unless it has words, which nobody could share out; over 60 s it is cut all the same and its words are left
    out. Turns that are not heard (after the recording's end, or long and without speech) are in `unheard`.

    The segments are the same however the samples are dealt out; only which of two overlapping turns comes
    first may differ.

    >>> segmenter = Segmenter([Segment(start=0.5, end=1.25, text="Yes.", speaker="Ann")])
    >>> [(span, samples)] = segmenter.push(np.zeros(32_000, np.float32))
    >>> span, len(samples)
    (Span(start=0.5, end=1.25, speaker='Ann', text='Yes.'), 12000)
    >>> segmenter.finish()
    []

    Args:
        turns: in any order; they may overlap.
        activity: makes what tells speech from silence.

    Raises:
        TranscriptError: more than 16 turns at one moment.
    """

    def __init__(
        self, turns: Sequence[Segment] | None = None, *, activity: Callable[[], Activity] = VoiceActivity
    ) -> None:
        self._cutter = _AtPauses(activity()) if turns is None else _AtTurns(turns, activity)

    def push(self, samples: Samples) -> list[Piece]:
        """Take the next samples `(samples,)`, mono at 16 kHz; the segments that have ended since."""
        return self._cutter.push(samples)

    def finish(self) -> list[Piece]:
        """The segments that the recording's end ends."""
        return self._cutter.finish()

    @property
    def unheard(self) -> Sequence[Segment]:
        """The turns of which there is no segment; complete when the recording has ended."""
        return self._cutter.unheard if isinstance(self._cutter, _AtTurns) else ()


class _AtPauses:
    def __init__(self, activity: Activity) -> None:
        self._activity = activity
        self._held = np.empty(0, np.float32)  # samples from `_from` on
        self._from = 0
        self._frames = 0  # so many were told speech or silence
        self._given = 0  # the sample to which segments were given out
        self._on = False  # whether the last frame was speech
        self._open: int | None = None  # the frame in which the segment at hand begins
        self._probabilities: list[float] = []  # of the frames since
        self._end = 0  # the frame after its last speech
        self._speech = 0  # frames of speech in it

    def push(self, samples: Samples) -> list[Piece]:
        self._held = np.concatenate([self._held, samples])
        found = [piece for p in self._activity.push(samples) for piece in self._frame(float(p))]
        begin = self._frames if self._open is None else self._open
        keep = max(self._from, self._given, begin * FRAME - MARGIN)
        self._held, self._from = self._held[keep - self._from :], keep
        return found

    def finish(self) -> list[Piece]:
        found = [piece for p in self._activity.finish() for piece in self._frame(float(p))]
        return found if self._open is None else found + self._close()

    def _frame(self, probability: float) -> list[Piece]:
        """Go on by a frame."""
        at, self._frames = self._frames, self._frames + 1
        self._on = probability >= (STILL if self._on else SPEECH)
        if self._open is None:
            if not self._on:
                return []
            self._open = at
        self._probabilities.append(probability)
        if self._on:
            self._end, self._speech = at + 1, self._speech + 1
        pause = self._frames - self._end
        long_enough = self._end - self._open >= _MIN or self._speech < CLICK
        if pause >= (PAUSE if long_enough else NEAR):
            return self._close()
        return [self._split(self._open)] if self._frames - self._open >= _MAX else []

    def _close(self) -> list[Piece]:
        """What ends in a pause; nothing if it was a click."""
        assert self._open is not None
        begin, clicked = self._open, self._speech < CLICK
        self._open, self._speech = None, 0
        self._probabilities.clear()
        return [] if clicked else [self._piece(begin, self._end * FRAME + MARGIN)]

    def _split(self, begin: int) -> Piece:
        """The first part of what has become too long."""
        low, high = _MIN, len(self._probabilities) - _MIN
        quiet = [p < SPEECH for p in self._probabilities[low:high]]
        first, last = _longest_run(quiet)
        if first == last:  # nobody took a breath
            first = last = self._quietest(begin + low, begin + high) - begin - low
        first, last = first + low, last + low
        margin = min(MARGIN, (last - first) * FRAME // 2)
        piece = self._piece(begin, (begin + first) * FRAME + margin)
        self._open = begin + last
        self._probabilities = self._probabilities[last:]
        self._speech = sum(p >= STILL for p in self._probabilities)
        return piece

    def _quietest(self, low: int, high: int) -> int:
        """The frame of least power over the five around it, among `low` up to `high`."""
        samples = self._held[low * FRAME - self._from : high * FRAME - self._from]
        power = np.square(samples.astype(np.float64)).reshape(-1, FRAME).mean(axis=1)
        return low + int(np.argmin(np.convolve(np.pad(power, 2, mode="edge"), np.ones(5), "valid")))

    def _piece(self, begin: int, stop: int) -> Piece:
        """From a frame, with its margin, to a sample."""
        start = max(begin * FRAME - MARGIN, self._given, 0)
        stop = min(stop, self._from + len(self._held))
        self._given = stop
        samples = self._held[start - self._from : stop - self._from].copy()
        return Span(start / SAMPLE_RATE, stop / SAMPLE_RATE), samples


def _longest_run(flags: Sequence[bool]) -> tuple[int, int]:
    """First and last-plus-one place of the longest run of True, the last of several; (0, 0) if there is none.

    >>> _longest_run([True, False, True, True, False])
    (2, 4)
    """
    best, begin = (0, 0), 0
    for place, flag in enumerate([*flags, False]):
        if not flag:
            if place > begin and place - begin >= best[1] - best[0]:
                best = (begin, place)
            begin = place + 1
    return best


class _AtTurns:
    def __init__(self, turns: Sequence[Segment], activity: Callable[[], Activity]) -> None:
        self._coming = sorted(turns, key=lambda turn: (turn.start, turn.end), reverse=True)
        self._activity = activity
        self._open: list[_Turn] = []
        self._at = 0  # samples so far
        self.unheard: list[Segment] = []
        _check(self._coming)

    def push(self, samples: Samples) -> list[Piece]:
        end = self._at + len(samples)
        while self._coming and round(self._coming[-1].start * SAMPLE_RATE) < end:
            self._open.append(_Turn(self._coming.pop(), self._activity))
        found: list[Piece] = []
        for turn in self._open:
            found += turn.push(samples[max(0, turn.start - self._at) : max(0, turn.stop - self._at)])
            if turn.stop <= end:
                found += self._ended(turn)
        self._open = [turn for turn in self._open if turn.stop > end]
        self._at = end
        return found

    def finish(self) -> list[Piece]:
        found = [piece for turn in self._open for piece in self._ended(turn)]
        self.unheard += reversed(self._coming)
        self._open, self._coming = [], []
        return found

    def _ended(self, turn: "_Turn") -> list[Piece]:
        found = turn.finish()
        if not turn.pieces:
            self.unheard.append(turn.said)
        return found


class _Turn:
    """A turn under way: what is heard of it, or, where it is cut at pauses, what cuts it."""

    def __init__(self, said: Segment, activity: Callable[[], Activity]) -> None:
        self.said = said
        self.start, self.stop = round(said.start * SAMPLE_RATE), round(said.end * SAMPLE_RATE)
        seconds = said.end - said.start
        self._text = said.text if said.text.strip() and seconds <= WORDY else None
        self._cutter = None if seconds <= LONGEST or self._text else _AtPauses(activity())
        self._parts: list[Samples] = []
        self.pieces = 0

    def push(self, samples: Samples) -> list[Piece]:
        if self._cutter is not None:
            return self._placed(self._cutter.push(samples))
        self._parts.append(samples.copy())
        return []

    def finish(self) -> list[Piece]:
        if self._cutter is not None:
            return self._placed(self._cutter.finish())
        samples = np.concatenate(self._parts)
        return self._placed([(Span(0.0, len(samples) / SAMPLE_RATE), samples)] if len(samples) else [])

    def _placed(self, pieces: list[Piece]) -> list[Piece]:
        """Pieces of the turn as such of the recording."""
        self.pieces += len(pieces)
        return [
            (
                replace(
                    span,
                    start=(self.start + round(span.start * SAMPLE_RATE)) / SAMPLE_RATE,
                    end=(self.start + round(span.end * SAMPLE_RATE)) / SAMPLE_RATE,
                    speaker=self.said.speaker,
                    text=self._text,
                ),
                samples,
            )
            for span, samples in pieces
        ]


def _check(turns: Sequence[Segment]) -> None:
    """Raises TranscriptError where more turns go on at once than a conversation has."""
    changes = sorted([(t.start, 1) for t in turns] + [(t.end, -1) for t in turns])
    count = 0
    for time, change in changes:
        count += change
        if count > TOGETHER:
            raise TranscriptError(
                "turns", found=f"{count} at {time:.1f} s", expected=f"at most {TOGETHER} at one moment"
            )
