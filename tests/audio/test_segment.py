"""Segments: properties over made-up speech, truth on real sentences, turns, and no growth of memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.audio.decode import SAMPLE_RATE, decode
from emojudge.audio.segment import LONGEST, MARGIN, NEAR, PAUSE, Piece, Segmenter, Span
from emojudge.audio.transcripts import read_transcript
from emojudge.audio.vad import FRAME
from emojudge.errors import TranscriptError
from emojudge.records import Segment

EXAMPLES = Path(__file__).parents[2] / "examples"


class Loud:
    """Takes for speech what is loud, so that a test can say exactly where speech is."""

    def __init__(self) -> None:
        self._held = np.empty(0, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        self._held = np.concatenate([self._held, samples])
        count = len(self._held) // FRAME
        frames, self._held = self._held[: count * FRAME].reshape(count, FRAME), self._held[count * FRAME :]
        return np.abs(frames).mean(axis=1)

    def finish(self) -> np.ndarray:
        rest = self._held
        return self.push(np.zeros(-len(rest) % FRAME, np.float32)) if len(rest) else rest


def speech(runs: list[tuple[bool, int]], rest: int = 0) -> np.ndarray:
    """Frames of speech (near 1) and of silence (near 0), each sample with a value of its own."""
    level = np.concatenate([np.full(count * FRAME, 0.9 if on else 0.01) for on, count in runs])
    level = np.concatenate([level, np.full(rest, 0.01)])
    return (level + 1e-6 * np.arange(len(level)) % 0.05).astype(np.float32)


def cut(samples: np.ndarray, sizes: list[int], turns: list[Segment] | None = None) -> list[Piece]:
    segmenter = Segmenter(turns, activity=Loud)
    found: list[Piece] = []
    at = 0
    for size in sizes:
        found += segmenter.push(samples[at : at + size])
        at += size
    return found + segmenter.push(samples[at:]) + segmenter.finish()


runs = st.lists(st.tuples(st.booleans(), st.integers(1, 450)), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(runs, st.integers(0, FRAME - 1))
def test_segments_are_in_order_within_bounds_and_hold_what_lies_there(
    parts: list[tuple[bool, int]], rest: int
) -> None:
    samples = speech(parts, rest)
    found = cut(samples, [])
    at = 0
    for span, held in found:
        start, end = round(span.start * SAMPLE_RATE), round(span.end * SAMPLE_RATE)
        assert (span.start, span.end) == (start / SAMPLE_RATE, end / SAMPLE_RATE)  # to the sample
        assert at <= start < end <= len(samples)
        assert end - start <= LONGEST * SAMPLE_RATE
        assert np.array_equal(held, samples[start:end])
        at = end


@settings(max_examples=40, deadline=None)
@given(runs)
def test_no_speech_is_lost_but_clicks_and_what_lasts_a_second_gives_no_shorter_segment(
    parts: list[tuple[bool, int]],
) -> None:
    samples = speech(parts)
    found = cut(samples, [])
    covered = np.zeros(len(samples), bool)
    for span, _ in found:
        covered[round(span.start * SAMPLE_RATE) : round(span.end * SAMPLE_RATE)] = True
    at = 0
    for on, count in parts:
        here = slice(at * FRAME, (at + count) * FRAME)
        if on and count >= 3:
            assert covered[here].all()
        at += count
    together = _merged(parts)
    if all(count >= 32 for on, count in together if on):
        assert all(span.end - span.start >= 1.0 for span, _ in found)


def _merged(parts: list[tuple[bool, int]]) -> list[tuple[bool, int]]:
    """Runs with equal neighbours as one."""
    merged: list[tuple[bool, int]] = []
    for on, count in parts:
        merged.append((on, merged.pop()[1] + count) if merged and merged[-1][0] == on else (on, count))
    return merged


@settings(max_examples=25, deadline=None)
@given(runs, st.lists(st.integers(0, 60_000), max_size=12))
def test_segments_are_the_same_however_samples_come(parts: list[tuple[bool, int]], sizes: list[int]) -> None:
    samples = speech(parts)
    whole, dealt = cut(samples, []), cut(samples, sizes)
    assert [span for span, _ in whole] == [span for span, _ in dealt]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(whole, dealt, strict=True))


def test_real_speech_is_the_same_however_samples_come() -> None:
    samples = decode(EXAMPLES / "two_voices.flac").samples

    def spans(size: int) -> list[Span]:
        segmenter = Segmenter()
        pushed = [segmenter.push(samples[at : at + size]) for at in range(0, len(samples), size)]
        return [span for pieces in [*pushed, segmenter.finish()] for span, _ in pieces]

    assert spans(320) == spans(4_096) == spans(100_001) == spans(len(samples))


def test_sentences_are_cut_apart_where_the_pauses_are() -> None:
    """The example's sentences, moved apart by pauses of known lengths, in noise 30 dB down."""
    samples = decode(EXAMPLES / "two_voices.flac").samples
    cues = read_transcript(EXAMPLES / "two_voices.srt").segments
    generator = np.random.default_rng(5)
    pieces, truth, at = [], [], 0
    for cue in cues:
        pause = round(generator.uniform(0.6, 3.0) * SAMPLE_RATE)
        sentence = samples[round(cue.start * SAMPLE_RATE) : round(cue.end * SAMPLE_RATE)]
        pieces += [np.zeros(pause, np.float32), sentence]
        truth.append(((at + pause) / SAMPLE_RATE, (at + pause + len(sentence)) / SAMPLE_RATE))
        at += pause + len(sentence)
    mixed = np.concatenate([*pieces, np.zeros(SAMPLE_RATE, np.float32)])
    mixed += generator.normal(size=len(mixed)).astype(np.float32) * mixed.std() * 10 ** (-30 / 20)
    segmenter = Segmenter()
    spans = [span for span, _ in segmenter.push(mixed) + segmenter.finish()]
    for start, end in truth:
        assert min(abs(span.start - start) for span in spans) <= 0.25
        assert min(abs(span.end - end) for span in spans) <= 0.25
    assert len(spans) <= len(truth) + 3  # two sentences have pauses of their own


def test_long_speech_is_cut_at_its_longest_pause() -> None:
    found = cut(speech([(True, 100), (False, 3), (True, 120), (False, 5), (True, 200)]), [])
    assert round(found[0][0].end * SAMPLE_RATE) == 223 * FRAME + 5 * FRAME // 2
    assert found[1][0].start == found[0][0].end  # the pause is too short for margins on both sides


def test_speech_without_any_pause_is_cut_where_it_is_quietest() -> None:
    samples = speech([(True, 600)])
    samples[300 * FRAME : 305 * FRAME] *= 0.7  # still speech
    found = cut(samples, [])
    assert found[0][0].end == pytest.approx(302.5 * FRAME / SAMPLE_RATE, abs=2 * FRAME / SAMPLE_RATE)
    assert found[0][0].end == found[1][0].start


def test_short_speech_joins_what_follows_nearby_and_else_stands_alone() -> None:
    near = cut(speech([(True, 10), (False, PAUSE + 2), (True, 60), (False, 60)]), [])
    assert len(near) == 1
    far = cut(speech([(True, 10), (False, NEAR + 2), (True, 60), (False, 60)]), [])
    assert [round(span.end - span.start, 3) for span, _ in far] == [
        (10 * FRAME + MARGIN) / SAMPLE_RATE,
        (60 * FRAME + 2 * MARGIN) / SAMPLE_RATE,
    ]
    click = cut(speech([(True, 2), (False, 60), (True, 60), (False, 60)]), [])
    assert len(click) == 1


turns = st.lists(
    st.builds(
        lambda start, seconds, text, who: Segment(start=start, end=start + seconds, text=text, speaker=who),
        st.floats(0, 30),
        st.floats(0, 20),
        st.sampled_from(["", "Yes."]),
        st.sampled_from([None, "Ann", "Ben"]),
    ),
    max_size=8,
)


@settings(max_examples=30, deadline=None)
@given(turns, runs, st.lists(st.integers(0, 60_000), max_size=12))
def test_each_turn_is_heard_or_named(
    given_turns: list[Segment], parts: list[tuple[bool, int]], sizes: list[int]
) -> None:
    samples = speech(parts)
    segmenter = Segmenter(given_turns, activity=Loud)
    found, at = [], 0
    for size in [*sizes, len(samples)]:
        found += segmenter.push(samples[at : at + size])
        at += size
    found += segmenter.finish()
    for span, held in found:
        begin = round(span.start * SAMPLE_RATE)
        assert np.array_equal(held, samples[begin : begin + len(held)])
        assert any(
            t.start - 1e-4 <= span.start <= span.end <= t.end + 1e-4
            and (span.speaker, span.text or "") == (t.speaker, t.text)
            for t in given_turns
        )
    for turn in given_turns:
        heard = any(
            span.speaker == turn.speaker and turn.start - 1e-4 <= span.start <= span.end <= turn.end + 1e-4
            for span, _ in found
        )
        assert heard or turn in segmenter.unheard
    assert _sorted(found) == _sorted(cut(samples, [], given_turns))


def _sorted(pieces: list[Piece]) -> list[tuple[float, float, str, str]]:
    return sorted((span.start, span.end, span.speaker or "", span.text or "") for span, _ in pieces)


def test_a_turn_with_words_stays_whole_and_one_without_is_cut_at_pauses() -> None:
    samples = speech([(True, 300), (False, 20), (True, 300)])
    worded = Segment(start=0, end=19, text="All of this.", speaker="Ann")
    assert [span for span, _ in cut(samples, [], [worded])] == [Span(0, 19, "Ann", "All of this.")]
    bare = worded.model_copy(update={"text": ""})
    found = [span for span, _ in cut(samples, [], [bare])]
    assert len(found) == 2
    assert {span.speaker for span in found} == {"Ann"}
    assert {span.text for span in found} == {None}


def test_a_crowd_is_refused() -> None:
    with pytest.raises(TranscriptError, match="at most 16"):
        Segmenter([Segment(start=0, end=1, text="")] * 17)


MEMORY = """
import resource, sys
import numpy as np
from emojudge.audio.segment import Segmenter
generator = np.random.default_rng(1)
segmenter, segments = Segmenter(activity={activity}), 0
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
block = (generator.normal(size=960_000) * 0.1).astype(np.float32)
for minute in range(180):
    segments += len(segmenter.push(block))
    if minute == 5: early = peak()
segments += len(segmenter.finish())
print(early, peak(), segments)
"""


@pytest.mark.parametrize("activity", ["Always", "Never"])
def test_three_hours_take_no_more_memory_than_six_minutes(activity: str) -> None:
    """Of speech without a pause, and of none: the worst of their kinds. Silero's state is fixed."""
    stub = (
        "class Always:\n"
        "    def push(self, s): return np.full(len(s) // 512, float(VALUE))\n"
        "    def finish(self): return np.empty(0)\n"
    ).replace("VALUE", "1" if activity == "Always" else "0")
    code = "import numpy as np\n" + stub + MEMORY.format(activity="Always")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    early, late, segments = map(int, done.stdout.split())
    assert late - early < 4_000  # kilobytes
    assert segments > 900 if activity == "Always" else segments == 0
