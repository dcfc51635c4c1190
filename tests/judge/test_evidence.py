"""What a judge is told: from a prediction, its utterance and its recording, in data and in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import emojudge
from emojudge.audio.decode import Audio
from emojudge.emotions import EMOTIONS, Emotion
from emojudge.errors import AudioError, EmojudgeError
from emojudge.judge.bins import Bins, Reference
from emojudge.judge.evidence import TURNS, describe, evidence_of, gather_evidence
from emojudge.records import (
    Attributes,
    Evidence,
    Failure,
    Measure,
    Opinion,
    Prediction,
    Segment,
    Transcript,
    Turn,
    Utterance,
)

pytest.importorskip("swift_f0", reason="needs the extra 'judge'")

MIDDLE = Attributes(valence=4, arousal=4, dominance=4)


def scores(emotion: Emotion) -> dict[Emotion, float]:
    return {name: 0.65 if name == emotion else 0.05 for name in EMOTIONS}


def opinion(emotion: Emotion) -> Opinion:
    return Opinion(logits=scores(emotion), scores=scores(emotion), attributes=MIDDLE)


def prediction(name: str = "call:1", emotion: Emotion = "happy", **more: Any) -> Prediction:
    fields: dict[str, Any] = {
        "id": name,
        "emotion": emotion,
        "scores": scores(emotion),
        "attributes": MIDDLE,
        "attributes_from": dict.fromkeys(("valence", "arousal", "dominance"), "derived"),
        "modalities": ("text",),
        "bundle": "somebody else's",
    }
    return Prediction(**(fields | more))


def said(text: str) -> Transcript:
    return Transcript(text=text, source="given", language="en")


def hum(pitch: float = 150.0, seconds: float = 2.0) -> Audio:
    time = np.arange(int(seconds * 16_000)) / 16_000
    wave = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 10))
    return Audio((0.1 * np.asarray(wave)).astype(np.float32), seconds, "hum")


def bins(extractor: str = "swift-f0 0.3.0") -> Bins:
    low = Reference(clips=9, cuts={"pitch": (90, 100, 140, 200), "loudness": (-40, -30, -20, -10)})
    high = Reference(clips=9, cuts={"pitch": (160, 180, 250, 300)})
    return Bins(extractor=extractor, source={"a": 9}, overall=low, genders={"female": high})


# --------------------------------------------------------------------------------------------------- evidence


def test_words_alone_are_evidence_enough() -> None:
    evidence = evidence_of(prediction(transcript=said("I won!")))
    assert (evidence.measures, evidence.extractor, evidence.conflict, describe(evidence)) == (
        {},
        None,
        None,
        "",
    )
    assert evidence.transcript == said("I won!")
    assert (evidence.audio_scores, evidence.text_scores) == (None, None)
    assert evidence.scores == scores("happy")


def test_audio_is_measured_and_binned_by_the_nearest_reference() -> None:
    utterance = Utterance(id="call:1", gender="female", transcript=said("one two three four"))
    evidence = evidence_of(prediction(), utterance, audio=hum(), bins=bins())
    assert evidence.measures["pitch"].value == pytest.approx(150, rel=0.02)
    assert (evidence.measures["pitch"].bin, evidence.measures["pitch"].reference) == ("very low", "gender")
    assert evidence.measures["loudness"].reference == "overall"
    assert evidence.measures["speaking_rate"].value == pytest.approx(2.0, rel=0.05)
    assert evidence.measures["speaking_rate"].bin is None
    assert evidence.extractor is not None
    assert evidence.extractor.startswith("swift-f0 ")
    assert evidence.seconds == 2.0
    assert Evidence.model_validate_json(evidence.model_dump_json()) == evidence


def test_short_clips_are_not_described() -> None:
    evidence = evidence_of(prediction(), audio=hum(seconds=0.49))
    assert (evidence.measures, describe(evidence), evidence.seconds) == ({}, "", 0.49)
    assert describe(evidence_of(prediction(), audio=hum(seconds=0.51)))


@pytest.mark.parametrize(
    ("heard", "read", "conflict"),
    [("sad", "happy", True), ("sad", "sad", False), (None, "sad", None), ("sad", None, None)],
)
def test_conflict_is_between_voice_and_words(
    heard: Emotion | None, read: Emotion | None, conflict: bool | None
) -> None:
    made = prediction(audio=opinion(heard) if heard else None, text=opinion(read) if read else None)
    assert evidence_of(made).conflict is conflict


def test_bins_of_another_tracker_are_refused() -> None:
    with pytest.raises(EmojudgeError, match=r"librosa\.pyin"):
        evidence_of(prediction(), audio=hum(), bins=bins("librosa.pyin 0.11.0"))


def test_names_of_speakers_do_not_get_out() -> None:
    segments = (
        Segment(start=0, end=1, text="Yes.", speaker="sarah@example.org"),
        Segment(start=1, end=2, text="No.", speaker="agent 7"),
        Segment(start=2, end=3, text="Hm.", speaker=None),
    )
    transcript = said("Yes. No. Hm.").model_copy(update={"segments": segments})
    turns = [Turn(speaker="agent 7", text="Hello?"), Turn(speaker=None, text="(noise)")]
    utterance = Utterance(id="call:1", speaker="sarah@example.org", transcript=transcript)
    evidence = evidence_of(prediction(), utterance, turns=turns)
    assert evidence.speaker == "Speaker B"
    assert [turn.speaker for turn in evidence.turns] == ["Speaker A", None]
    assert evidence.transcript is not None
    assert [s.speaker for s in evidence.transcript.segments] == ["Speaker B", "Speaker A", None]
    assert "sarah" not in evidence.model_dump_json()
    assert "agent" not in evidence.model_dump_json()


def test_recording_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(b"no sound")
    with pytest.raises(AudioError, match="call:1"):
        evidence_of(prediction(), Utterance(id="call:1", audio=tmp_path / "call.wav"))


# ------------------------------------------------------------------------------------------------------ turns


def dialogue(count: int, *, positions: bool) -> list[Utterance]:
    return [
        Utterance(
            id=f"call:{i}",
            speaker=["caller", "agent"][i % 2],
            transcript=said(f"turn {i}"),
            recording="call",
            position=float(i) if positions else None,
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("positions", [True, False])
def test_earlier_turns_are_told_oldest_first_and_no_later_ones(positions: bool) -> None:
    turns = dialogue(9, positions=positions)
    listed = turns[::-1] if positions else turns  # with positions, the order of the table does not matter
    found = list(gather_evidence([prediction(u.id) for u in turns], listed))
    told = {e.id: [turn.text for turn in e.turns] for e in found if isinstance(e, Evidence)}
    assert told["call:0"] == []
    assert told["call:2"] == ["turn 0", "turn 1"]
    assert told["call:8"] == [f"turn {i}" for i in range(8 - TURNS, 8)]
    assert [e.turns for e in gather_evidence([prediction("call:8")], turns, turns=0)] == [()]  # type: ignore[union-attr]


def test_turns_are_of_the_same_recording_and_of_what_the_recogniser_heard() -> None:
    one = Utterance(id="a", recording="first", position=0)
    other = Utterance(id="b", recording="second", position=0, transcript=said("elsewhere"))
    later = Utterance(id="c", recording="first", position=1, transcript=said("later"))
    predictions = [prediction("a", transcript=said("as heard")), prediction("b"), prediction("c")]
    found = list(gather_evidence(predictions, [one, other, later]))
    assert [[t.text for t in e.turns] for e in found if isinstance(e, Evidence)] == [[], [], ["as heard"]]


def test_one_bad_recording_does_not_lose_the_others(tmp_path: Path) -> None:
    sound = hum()
    soundfile.write(tmp_path / "good.wav", sound.samples, 16_000)
    utterances = [
        Utterance(id="bad", audio=tmp_path / "missing.wav"),
        Utterance(id="good", audio=tmp_path / "good.wav"),
    ]
    predictions = [prediction("bad"), prediction("good"), prediction("not in the table")]
    bad, good, alone = gather_evidence(predictions, utterances)
    assert isinstance(bad, Failure)
    assert "bad" in bad.error
    assert isinstance(good, Evidence)
    assert "pitch" in good.measures
    assert isinstance(alone, Evidence)
    assert alone.measures == {}


# ------------------------------------------------------------------------------------------------------ words


def measures(**bins: str) -> dict[str, Measure]:
    figures = {
        "duration": (2.345, "s"),
        "amplitude": (0.04567, "of full scale"),
        "loudness": (-21.26, "dB"),
        "loudness_variation": (6.0, "dB"),
        "pitch": (231.4, "Hz"),
        "pitch_low": (180.0, "Hz"),
        "pitch_high": (330.0, "Hz"),
        "pitch_range": (10.5, "semitones"),
        "speaking_rate": (3.21, "words/s"),
        "articulation_rate": (5.0, "syllables/s"),
        "pauses": (1.0, "count"),
        "pause_share": (0.126, "share"),
        "tilt": (-14.0, "dB"),
    }
    return {
        name: Measure.model_validate(
            {
                "value": value,
                "unit": unit,
                "bin": bins.get(name),
                "reference": "gender" if name in bins else None,
            }
        )
        for name, (value, unit) in figures.items()
    }


def evidence(found: dict[str, Measure]) -> Evidence:
    return Evidence(id="x", gender="female", emotion="happy", scores=scores("happy"), measures=found)


def test_description_says_what_is_high_compared_with_whom() -> None:
    told = describe(evidence(measures(loudness="very low", pitch="moderate", pitch_range="very high")))
    assert told == (
        "Compared with other women: very low loudness (-21.3 dB), moderate pitch (231 Hz), very high pitch "
        "range (10.5 semitones). Measured: loudness variation 6.0 dB, speaking rate 3.2 words per second, "
        "high-frequency energy -14.0 dB. Duration 2.3 s, 1 pause, 13% of the time."
    )


def test_description_in_the_papers_form() -> None:
    assert describe(evidence(measures(pitch="high")), "paper") == (
        "Audio: amplitude 0.0457 of full scale, pitch range 150 Hz, loudness -21.3 dB, duration 2.3 s, "
        "speaking rate 3.2 words per second."
    )


def test_description_leaves_out_what_was_not_measured() -> None:
    silent = {name: m for name, m in measures().items() if name in ("duration", "amplitude")}
    assert describe(evidence(silent)) == "Duration 2.3 s, no sound."
    assert describe(evidence(silent), "paper") == "Audio: amplitude 0.0457 of full scale, duration 2.3 s."
    wordless = {name: m for name, m in measures().items() if name != "speaking_rate"}
    assert "articulation rate 5.0 syllables per second" in describe(evidence(wordless))


def test_description_is_the_same_every_time_and_short() -> None:
    descriptions = {describe(evidence_of(prediction(), audio=hum(), bins=bins())) for _ in range(3)}
    assert len(descriptions) == 1
    assert len(descriptions.pop()) < 400


# -------------------------------------------------------------------------------------------- the whole way


def test_prediction_of_our_recogniser_becomes_evidence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "hum.wav", hum(220.0).samples, 16_000)
    utterance = Utterance(id="hum", audio=tmp_path / "hum.wav", transcript=said("I am so happy!"))
    recognizer = emojudge.load(asr="none")
    (made,) = recognizer.predict([utterance])
    assert isinstance(made, Prediction)
    found = evidence_of(made, utterance)
    assert made.audio is not None
    assert found.audio_scores == made.audio.scores
    assert found.conflict is not None
    assert found.measures["pitch"].value == pytest.approx(220, rel=0.02)
