"""Long recordings followed: passages, curves, words, verdicts; what fails fails alone; memory stays."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import emojudge
from emojudge.audio.decode import SAMPLE_RATE, Audio, decode
from emojudge.audio.turns import read_turns
from emojudge.errors import AudioError
from emojudge.recognizer import Recognizer
from emojudge.records import Failure, Passage, Point, Segment, Timeline, Transcript, Utterance
from emojudge.timeline import follow, gather

EXAMPLES = Path(__file__).parents[1] / "examples"
RECORDING = EXAMPLES / "two_voices.flac"
CUES = EXAMPLES / "two_voices.srt"


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return emojudge.load(asr="none", threads=1)


@pytest.fixture(scope="module")
def timeline(recognizer: Recognizer) -> Timeline:
    return gather(recognizer, RECORDING, id="call")


def test_a_passage_is_predicted_as_its_samples_are(recognizer: Recognizer, timeline: Timeline) -> None:
    samples = decode(RECORDING).samples
    assert timeline.seconds == pytest.approx(len(samples) / SAMPLE_RATE)
    assert timeline.bundle == recognizer.bundle.manifest.name
    assert len(timeline.passages) >= 6
    for passage in timeline.passages[:3]:
        part = samples[round(passage.start * SAMPLE_RATE) : round(passage.end * SAMPLE_RATE)]
        (alone,) = recognizer.predict([(Utterance(id="x"), Audio(part, len(part) / SAMPLE_RATE, "x"))])
        assert not isinstance(alone, Failure)
        assert passage.prediction.id == f"call#t={passage.start:.3f},{passage.end:.3f}"
        assert passage.prediction.scores == pytest.approx(alone.scores, abs=1e-3)
        assert passage.prediction.seconds == pytest.approx(passage.end - passage.start)
    assert Timeline.model_validate_json(timeline.model_dump_json()) == timeline


def test_results_come_as_segments_end_not_when_the_recording_does(recognizer: Recognizer) -> None:
    samples = decode(RECORDING).samples
    taken = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal taken
        for start in range(0, len(samples), 1_600):
            taken += 1_600
            yield samples[start : start + 1_600]

    passages = 0
    for result in follow(recognizer, blocks(), id="call"):
        if isinstance(result, Passage) and taken < len(samples):
            passages += 1
            # The pause, a block of the model, one of ours.
            assert taken / SAMPLE_RATE < result.end + 0.3 + 0.3 + 0.1
    assert passages >= 6


def test_curves_have_a_point_each_hop_in_long_segments_and_one_in_short_ones(recognizer: Recognizer) -> None:
    samples = decode(RECORDING).samples
    turns = [Segment(start=0.0, end=9.5, text="All in one."), Segment(start=12.0, end=14.0, text="Short.")]
    found = list(follow(recognizer, [samples], id="call", turns=turns))
    assert [type(item) for item in found] == [Passage, *[Point] * 6, Passage, Point]
    assert [item.time for item in found if isinstance(item, Point)] == [2, 3, 4, 5, 6, 7, 13]
    passages = [item for item in found if isinstance(item, Passage)]
    assert passages[1].prediction.audio is not None
    points = [item for item in found if isinstance(item, Point)]
    assert points[-1].attributes == passages[1].prediction.audio.attributes  # heard once, not twice
    part = samples[SAMPLE_RATE : 5 * SAMPLE_RATE]
    (alone,) = recognizer.predict([(Utterance(id="x"), Audio(part, 4.0, "x"))])
    assert not isinstance(alone, Failure)
    assert points[1].attributes.valence == pytest.approx(alone.attributes.valence, abs=1e-3)
    silent = list(follow(recognizer, [samples], id="c", turns=turns, hop_seconds=0))
    assert [type(item) for item in silent] == [Passage, Passage]


def test_turns_give_speakers_and_words(recognizer: Recognizer) -> None:
    turns = read_turns(CUES)
    found = gather(recognizer, RECORDING, id="call", turns=turns)
    assert [(p.start, p.end, p.speaker) for p in found.passages] == [
        (s.start, s.end, s.speaker) for s in turns.segments
    ]
    said = [p.prediction.transcript for p in found.passages]
    assert [t and (t.text, t.source) for t in said] == [
        (s.text, "file:two_voices.srt") for s in turns.segments
    ]
    assert all(p.prediction.modalities == ("audio", "text") for p in found.passages)
    assert found.failures == ()


def test_a_transcript_with_times_is_dealt_out_and_what_has_no_speech_is_named(recognizer: Recognizer) -> None:
    cues = read_turns(CUES)
    late = Segment(start=500.0, end=501.0, text="Not of this call.")
    given = cues.model_copy(update={"segments": (*cues.segments, late)})
    found = gather(recognizer, RECORDING, id="call", transcript=given)
    words = [p.prediction.transcript.text for p in found.passages if p.prediction.transcript]
    assert " ".join(filter(None, words)) == " ".join(s.text for s in cues.segments)
    assert {p.speaker for p in found.passages} == {"agent", "caller", None}
    assert [f.id for f in found.failures] == ["call#t=500.000,501.000"]
    for passage in found.passages:
        assert passage.prediction.transcript is not None
        for segment in passage.prediction.transcript.segments:
            assert 0 <= segment.start <= segment.end <= passage.end - passage.start + 1e-6


def test_a_transcriber_hears_each_segment_once_and_no_window(recognizer: Recognizer) -> None:
    heard: list[float] = []

    class Writer:
        name = "writer"

        def __call__(self, samples: np.ndarray) -> Transcript:
            heard.append(len(samples) / SAMPLE_RATE)
            return Transcript(text=f"segment {len(heard)}", source=self.name)

    writing = Recognizer(recognizer.bundle, Writer(), threads=1)
    turns = [Segment(start=0.0, end=9.0, text=""), Segment(start=10.0, end=19.0, text="", speaker="Ben")]
    found = gather(writing, RECORDING, id="call", turns=turns)
    assert heard == [9.0, 9.0]
    assert [p.prediction.transcript.text for p in found.passages if p.prediction.transcript] == [
        "segment 1",
        "segment 2",
    ]
    assert len(found.points) == 12


def test_a_judge_is_told_the_turns_before(recognizer: Recognizer) -> None:
    told = []
    judge = emojudge.Judge("echo")
    real = judge.alongside

    def listening(items, evidence):  # type: ignore[no-untyped-def]
        def kept(item):  # type: ignore[no-untyped-def]
            found = evidence(item)
            told.append(found.evidence)
            return found

        return real(items, kept)

    judge.alongside = listening  # type: ignore[method-assign]
    found = gather(recognizer, RECORDING, id="call", turns=read_turns(CUES), judge=judge)
    assert all(p.prediction.verdict for p in found.passages)
    assert [len(evidence.turns) for evidence in told] == [0, 1, 2, 3, 4, 5]
    assert told[2].turns[0].text.startswith("Thank you for calling")
    assert told[2].turns[0].speaker == "Speaker A"  # names stay here
    plain = gather(recognizer, RECORDING, id="call", turns=read_turns(CUES))
    for judged, before in zip(found.passages, plain.passages, strict=True):
        assert judged.prediction.model_copy(update={"verdict": None}) == before.prediction


def test_what_fails_fails_alone(recognizer: Recognizer) -> None:
    samples = decode(RECORDING).samples

    def breaking() -> Iterator[np.ndarray]:
        yield samples[: 8 * SAMPLE_RATE]
        raise AudioError("call", found="a damaged frame", expected="audio")

    found = list(follow(recognizer, breaking(), id="call"))
    assert sum(isinstance(item, Passage) for item in found) >= 3
    assert found[-1] == Failure(id="call", error="call: found a damaged frame; expected audio.")
    with pytest.raises(AudioError, match="plain text"):
        gather(recognizer, EXAMPLES / "README.md", id="readme")
    turns = [
        Segment(start=1.0, end=1.05, text=""),
        Segment(start=2.0, end=2.05, text="Yes."),
        Segment(start=4.0, end=6.0, text="", speaker="Ann"),
        Segment(start=90.0, end=91.0, text="After the end."),
    ]
    turned = gather(recognizer, RECORDING, id="call", turns=turns)
    assert [p.start for p in turned.passages] == [2.0, 4.0]  # the second by its words alone
    assert turned.passages[0].prediction.modalities == ("text",)
    assert [f.id for f in turned.failures] == ["call#t=1.000,1.050", "call#t=90.000,91.000"]
    assert "0.050 s of audio" in turned.failures[0].error


def test_silence_has_no_passages_and_says_so(recognizer: Recognizer) -> None:
    assert list(follow(recognizer, [np.zeros(100_000, np.float32)], id="silence")) == []


MEMORY = """
import re
from pathlib import Path
import numpy as np, emojudge
from emojudge.audio.decode import decode
from emojudge.timeline import follow
recognizer = emojudge.load(asr="none", threads=1)
samples = decode(EXAMPLE).samples
# Not by getrusage: a process begins with the peak of the one that started it.
def peak(): return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
peaks = []
def blocks():
    for repeat in range(15):
        yield samples
        peaks.append(peak())
for result in follow(recognizer, blocks(), id="long"): pass
print(peaks[4], peaks[-1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from /proc")
def test_memory_does_not_grow_with_the_recording() -> None:
    """Five minutes with all the models; the three hours of segmentation alone are in test_segment."""
    code = MEMORY.replace("EXAMPLE", repr(str(RECORDING)))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    early, late = map(int, done.stdout.split())
    assert late < 700_000  # kilobytes
    assert late - early < 25_000
