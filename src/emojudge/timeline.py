"""A recording of any length as a timeline: segments with their predictions, curves of the voice, verdicts."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from emojudge.audio.decode import MIN_SECONDS, SAMPLE_RATE, Audio, Samples, Stream, stream
from emojudge.audio.segment import WORDY, Piece, Segmenter, Span
from emojudge.audio.source import Source
from emojudge.audio.words import Words
from emojudge.curve import HOP, WINDOW, Curve
from emojudge.errors import AudioError, EmojudgeError, MissingExtraError
from emojudge.judge.bins import Bins, bins_of
from emojudge.judge.evidence import TURNS, Unheard, add_voice, evidence_of
from emojudge.judge.judging import Judge
from emojudge.recognizer import Input, Predictor
from emojudge.records import (
    Evidence,
    Failure,
    Passage,
    Point,
    Prediction,
    Segment,
    Timeline,
    Transcript,
    Turn,
    Utterance,
)

BATCH = 8  # segments at most that are predicted together; of one block, as nobody waits for the next
BLOCK_SECONDS = 10.0  # of a recording at a time

Result = Passage | Point | Failure

log = logging.getLogger(__name__)


def follow(
    recognizer: Predictor,
    blocks: Iterable[Samples],
    *,
    id: str,  # noqa: A002 - as in the records
    turns: Sequence[Segment] | Transcript | None = None,
    transcript: Transcript | None = None,
    judge: Judge | None = None,
    window_seconds: float = WINDOW,
    hop_seconds: float = HOP,
) -> Iterator[Result]:
    """Passages of a recording as they end, each followed by its points of the curves; failures beside them.

    Memory does not grow with the recording, unless the judge's gate is a share of all predictions. What is
    wrong with a segment is a `Failure` with the segment's id, and the rest goes on; where the recording
    breaks off, a last `Failure` with `id` says why.

    A curve's points are of windows within a segment, so that none mixes two speakers; a segment up to
    `window_seconds + hop_seconds` is one window. A point lies in the middle of what it heard.

    Args:
        recognizer: whose transcriber, where there is one, writes down segments whose words are not given.
        blocks: samples `(samples,)`, mono at 16 kHz, of any sizes, such as `audio.decode.stream` gives.
        id: of the recording; a segment's is `ID#t=START,END` in seconds, as media fragments have it.
        turns: who speaks when: cut there instead of at pauses; their words, where they have any, are taken.
        transcript: what is said, with times; a segment is given what has its middle in it.
        judge: asked about each segment, told the turns before it.
        window_seconds: of a window of the curves.
        hop_seconds: from one window to the next; 0 for no curves.

    Raises:
        EmojudgeError: the recording cannot be used, or breaks off before there was a segment.
        TranscriptError: more turns at a time than a conversation has.
        JudgeError: a segment is one of the judge's examples.

    >>> import emojudge
    >>> from emojudge.audio.decode import stream
    >>> recognizer = emojudge.load(asr="none")
    >>> for result in follow(recognizer, stream("examples/two_voices.flac"), id="call"):
    ...     if isinstance(result, Passage):
    ...         print(f"{result.start:.2f} {result.end:.2f}", result.prediction.id)
    ...         break
    0.41 1.92 call#t=0.412,1.924
    """
    given = turns.segments if isinstance(turns, Transcript) else turns
    segmenter = Segmenter(given)
    words = Words(transcript, turns.source if isinstance(turns, Transcript) else "given")
    curve = Curve(window_seconds, hop_seconds)
    ended: list[EmojudgeError] = []
    heard = (
        item
        for batch in _batches(blocks, segmenter, ended)
        for item in _predicted(recognizer, batch, words, id, curve)
    )
    heard_any = False
    for item in heard if judge is None else _judged(heard, judge, recognizer):
        if isinstance(item, Failure):
            yield item
            continue
        span, heard_any = item.span, True
        yield Passage(
            start=span.start, end=span.end, speaker=item.utterance.speaker, prediction=item.prediction
        )
        yield from item.points
    for turn in segmenter.unheard:
        reason = AudioError(
            f"the turn at {turn.start:g} s",
            found="no speech, or the recording's end",
            expected="speech up to its end",
            advice="Check that the turns are of this recording.",
        )
        yield Failure(id=Span(turn.start, turn.end).id_in(id), error=str(reason))
    yield from words.failures(id)
    for error in ended:
        if not heard_any:
            raise error
        yield Failure(id=id, error=str(error))


def gather(
    recognizer: Predictor,
    source: Source | Stream,
    *,
    id: str,  # noqa: A002
    turns: Sequence[Segment] | Transcript | None = None,
    transcript: Transcript | None = None,
    judge: Judge | None = None,
    window_seconds: float = WINDOW,
    hop_seconds: float = HOP,
    listeners: Sequence[Callable[[Samples], None]] = (),
    each: Callable[[Result], None] | None = None,
) -> Timeline:
    """The whole timeline of a recording: what `follow` gives, in order of time.

    Args:
        source: a path, bytes, an open file, or `audio.decode.stream` of one.
        listeners: are given each block `(samples,)` as it is decoded, so that nobody decodes twice.
        each: is given each result as it comes.

    The other arguments are those of `follow`.
    """
    blocks = source if isinstance(source, Stream) else stream(source, block_seconds=BLOCK_SECONDS, name=id)
    seconds = 0.0

    def told() -> Iterator[Samples]:
        nonlocal seconds
        for block in blocks:
            seconds += len(block) / SAMPLE_RATE
            for listener in listeners:
                listener(block)
            yield block

    results: list[Result] = []
    followed = follow(
        recognizer,
        told(),
        id=id,
        turns=turns,
        transcript=transcript,
        judge=judge,
        window_seconds=window_seconds,
        hop_seconds=hop_seconds,
    )
    for result in followed:
        results.append(result)
        if each is not None:
            each(result)
    notes = (*blocks.notes, *_notes(turns))
    return timeline_of(results, id=id, seconds=seconds, bundle=recognizer.bundle.manifest.name, notes=notes)


def timeline_of(
    results: Iterable[Result],
    *,
    id: str,  # noqa: A002
    seconds: float,
    bundle: str,
    notes: Sequence[str] = (),
) -> Timeline:
    """Results as they came, in order of time."""
    every = list(results)
    passages = [result for result in every if isinstance(result, Passage)]
    points = [result for result in every if isinstance(result, Point)]
    return Timeline(
        id=id,
        seconds=seconds,
        bundle=bundle,
        passages=tuple(sorted(passages, key=lambda passage: (passage.start, passage.end))),
        points=tuple(sorted(points, key=lambda point: point.time)),
        failures=tuple(result for result in every if isinstance(result, Failure)),
        notes=tuple(notes),
    )


def _notes(turns: Sequence[Segment] | Transcript | None) -> list[str]:
    """What was not done with turns as they were given."""
    given = turns.segments if isinstance(turns, Transcript) else turns or ()
    wordy = sum(bool(turn.text.strip()) and turn.end - turn.start > WORDY for turn in given)
    return (
        [f"words left out of {wordy} turns over {WORDY:g} s: nobody knows which are where"] if wordy else []
    )


@dataclass
class _Heard:
    """A segment with what was predicted of it."""

    span: Span
    audio: Audio
    utterance: Utterance
    prediction: Prediction
    points: Sequence[Point]


def _batches(
    blocks: Iterable[Samples], segmenter: Segmenter, ended: list[EmojudgeError]
) -> Iterator[list[Piece]]:
    """Segments as they end; of a recording that breaks off, those before, and why in `ended`."""
    try:
        for block in blocks:
            yield from _parts(segmenter.push(block))
    except EmojudgeError as error:
        ended.append(error)
    yield from _parts(segmenter.finish())


def _parts(pieces: list[Piece]) -> Iterator[list[Piece]]:
    return (pieces[start : start + BATCH] for start in range(0, len(pieces), BATCH))


def _predicted(
    recognizer: Predictor, batch: Sequence[Piece], words: Words, name: str, curve: Curve
) -> Iterator[_Heard | Failure]:
    """A few segments, predicted together."""
    asked: list[tuple[Utterance, Audio]] = []
    for span, samples in batch:
        here = span.id_in(name)
        said = words.of(span)
        speaker = span.speaker or _only_speaker(said)
        utterance = Utterance(id=here, transcript=said, speaker=speaker, recording=name, position=span.start)
        asked.append((utterance, Audio(samples, len(samples) / SAMPLE_RATE, here)))
    predictions = list(recognizer.predict(_usable(asked)))
    curves = curve.points(recognizer, batch, predictions)
    for (span, _), (utterance, audio), result, points in zip(batch, asked, predictions, curves, strict=True):
        if not isinstance(result, Failure):
            yield _Heard(span, audio, utterance, result, points)
        elif audio.seconds < MIN_SECONDS:
            found, expected = f"{audio.seconds:.3f} s of audio", f"at least {MIN_SECONDS} s"
            yield Failure(id=result.id, error=str(AudioError(result.id, found=found, expected=expected)))
        else:
            yield result


def _usable(asked: Iterable[tuple[Utterance, Audio]]) -> Iterator[Input]:
    """Segments too short to be heard (a turn may be) without their audio: by their words, if any."""
    for utterance, audio in asked:
        yield (utterance, audio) if audio.seconds >= MIN_SECONDS else utterance


def _only_speaker(said: Transcript | None) -> str | None:
    speakers = {segment.speaker for segment in said.segments} if said else set()
    return speakers.pop() if len(speakers) == 1 else None


def _judged(
    heard: Iterable[_Heard | Failure], judge: Judge, recognizer: Predictor
) -> Iterator[_Heard | Failure]:
    bins = bins_of(recognizer.bundle)
    before: deque[Turn] = deque(maxlen=TURNS)

    def evidence(item: _Heard | Failure) -> Unheard | None:
        if isinstance(item, Failure):
            return None
        told = evidence_of(item.prediction, item.utterance, turns=tuple(before))
        words = item.prediction.transcript
        if words is not None and words.text.strip():
            before.append(Turn(speaker=item.utterance.speaker, text=words.text))
        return Unheard(told, partial(_with_voice, told, item, bins))

    for item, verdict in judge.alongside(heard, evidence):
        if verdict is not None and isinstance(item, _Heard):
            item.prediction = item.prediction.model_copy(update={"verdict": verdict})
        yield item


def _with_voice(told: Evidence, item: _Heard, bins: Bins | None) -> Evidence:
    try:
        return add_voice(told, item.utterance, audio=item.audio, bins=bins)
    except MissingExtraError as error:
        _warn(str(error))
        return told


@lru_cache(maxsize=1)
def _warn(reason: str) -> None:
    """Say once why a judge is not told of the voice."""
    log.warning("voices are not described: %s", reason)
