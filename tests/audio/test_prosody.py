"""The voice in figures, on signals whose figures are known, and on real speech."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from emojudge.audio import levels, quality
from emojudge.audio.decode import decode
from emojudge.audio.pitch import HOP, TRACKERS, track_pitch
from emojudge.audio.prosody import UNITS, count_words, measure_voice
from emojudge.corpora import load_corpus
from emojudge.errors import AudioError
from emojudge.records import Segment, Transcript, Utterance

pytest.importorskip("swift_f0", reason="needs the extra 'judge'")

RATE = 16_000
# librosa compiles itself when it is first used, which takes a minute.
EACH = [pytest.param(name, marks=[pytest.mark.slow] * (name == "librosa")) for name in TRACKERS]

Signal = NDArray[np.float32]


def voice(hz: NDArray[np.float64], harmonics: int = 12, level: float = 0.1) -> Signal:
    """A tone with this pitch `(samples,)`: partials that fall by 6 dB an octave, as a voice's do."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    partials = [np.sin(k * phase) / k * (k * hz < RATE / 2.2) for k in range(1, harmonics + 1)]
    return (level * np.sum(partials, axis=0)).astype(np.float32)


def vibrato(middle: float, depth: float, seconds: float = 3.0, hz: float = 5.0) -> NDArray[np.float64]:
    """A pitch that swings `depth` semitones up and down, `hz` times a second."""
    time = np.arange(int(seconds * RATE)) / RATE
    return middle * 2 ** (depth * np.sin(2 * np.pi * hz * time) / 12)


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(scale=level, size=int(seconds * RATE))


def values(samples: NDArray[np.floating], **options: object) -> dict[str, float]:
    measured = measure_voice(samples.astype(np.float32), **options)  # type: ignore[arg-type]
    return {name: measure.value for name, measure in measured.measures.items()}


# ------------------------------------------------------------------------------------------------------ pitch


@pytest.mark.parametrize("tracker", EACH)
@pytest.mark.parametrize("middle", [90.0, 210.0, 420.0])
def test_vibrato_has_its_pitch_range_and_variation(middle: float, tracker: str) -> None:
    if tracker == "librosa":
        pytest.importorskip("librosa", reason="needs the extra 'paper'")
    depth = 2.0
    found = values(voice(vibrato(middle, depth, hz=3.0)), tracker=tracker)
    assert found["pitch"] == pytest.approx(middle, rel=0.015)
    # Of a sine the 95th percentile lies at sin(0.45 π), the deviation at 1 / √2.
    assert found["pitch_range"] == pytest.approx(2 * depth * np.sin(0.45 * np.pi), abs=0.5)
    assert found["pitch_variation"] == pytest.approx(depth / np.sqrt(2), abs=0.25)
    assert found["pitch_low"] < middle < found["pitch_high"]
    assert found["pitch_range"] == pytest.approx(12 * np.log2(found["pitch_high"] / found["pitch_low"]))


@settings(max_examples=15, deadline=None)
@given(gain=st.floats(-25.0, 10.0))
def test_gain_moves_the_loudness_and_nothing_else(gain: float) -> None:
    samples = voice(vibrato(180.0, 3.0, seconds=1.2)) * (0.3 + 0.2 * np.sin(np.arange(19_200) / 2_000))
    plain, scaled = values(samples), values(samples * 10 ** (gain / 20))
    assert scaled["loudness"] - plain["loudness"] == pytest.approx(gain, abs=0.05)
    for name in ("pitch", "pitch_range", "harmonics_to_noise", "tilt", "loudness_variation", "pauses"):
        assert scaled[name] == pytest.approx(plain[name], abs=0.05), name


def test_noise_has_no_pitch_and_no_quality() -> None:
    found = values(noise(3.0))
    assert not {"pitch", "pitch_range", "harmonics_to_noise", "tilt"} & set(found)
    assert found["loudness"] == pytest.approx(-20.0, abs=0.1)
    assert "articulation_rate" not in found


def test_one_wild_octave_does_not_widen_the_range() -> None:
    steady = vibrato(200.0, 0.5, seconds=4.0)
    steady[: int(0.1 * RATE)] = 600.0  # 2.5 % of the time
    assert values(voice(steady))["pitch_range"] < 1.5


def test_unknown_tracker_is_refused() -> None:
    with pytest.raises(AudioError, match=r"'praat'.*swift-f0 or librosa"):
        track_pitch(np.zeros(RATE, np.float32), "praat")


def test_extractor_says_its_version() -> None:
    assert measure_voice(voice(vibrato(150.0, 1.0))).extractor.startswith("swift-f0 0.")


# --------------------------------------------------------------------------------------------- loudness, time


def test_power_is_that_of_librosa() -> None:
    librosa = pytest.importorskip("librosa", reason="needs the extra 'paper'")
    samples = noise(1.03).astype(np.float32)
    theirs = librosa.feature.rms(y=samples, frame_length=512, hop_length=HOP)[0]
    ours = np.sqrt(levels.frame_power(samples))
    np.testing.assert_allclose(ours, theirs[: len(ours)], rtol=1e-4)


@pytest.mark.parametrize("depth", [0.3, 0.6])
def test_amplitude_modulated_noise_varies_as_its_envelope(depth: float) -> None:
    time = np.arange(4 * RATE) / RATE
    envelope = 1 + depth * np.sin(2 * np.pi * 2 * time)
    found = values(noise(4.0, level=0.05) * envelope)
    expected = 20 * np.log10(envelope)
    assert found["loudness_variation"] == pytest.approx(expected.std(), abs=0.35)
    rms = 0.05 * np.sqrt(np.mean(envelope**2))
    assert found["loudness"] == pytest.approx(20 * np.log10(rms), abs=0.2)


@pytest.mark.parametrize("rate", [2.0, 4.0, 6.0])
def test_syllables_are_the_swells_of_a_voice_and_not_those_of_noise(rate: float) -> None:
    time = np.arange(3 * RATE) / RATE
    swells = 0.55 - 0.45 * np.cos(2 * np.pi * rate * time)
    assert values(voice(np.full(len(time), 140.0)) * swells)["articulation_rate"] == pytest.approx(
        rate, rel=0.1
    )
    assert "articulation_rate" not in values(noise(3.0) * swells)


@pytest.mark.parametrize("hiss", [0.0, 1e-3])
def test_pauses_have_their_number_and_share(hiss: float) -> None:
    tone = voice(vibrato(170.0, 1.0, seconds=0.6))
    silences = [0.15, 0.35, 0.5, 1.0]  # the first is none: a stop between two words takes as long
    parts = [np.zeros(RATE), tone]  # a second of quiet before and after is no pause either
    for seconds in silences:
        parts += [np.zeros(int(seconds * RATE)), tone]
    samples = np.concatenate([*parts, np.zeros(RATE)])
    found = values(samples + noise(len(samples) / RATE, hiss)[: len(samples)])
    assert found["pauses"] == 3
    total = 5 * 0.6 + sum(silences)
    assert found["pause_share"] == pytest.approx(sum(silences[1:]) / total, abs=0.03)
    assert found["duration"] == pytest.approx(total + 2.0)


def test_speaking_rate_is_of_the_words_and_never_invented() -> None:
    sound = voice(vibrato(170.0, 2.0, seconds=2.0))
    samples = np.concatenate([np.zeros(RATE), sound, np.zeros(RATE)])
    said = Transcript(text="I've seen it, again.", source="given")
    assert values(samples, transcript=said)["speaking_rate"] == pytest.approx(2.0, rel=0.05)
    timed = said.model_copy(update={"segments": (Segment(start=1.0, end=2.0, text="I've seen it, again."),)})
    assert values(samples, transcript=timed)["speaking_rate"] == pytest.approx(4.0)
    for text in ("", "…", "もう一度言ってください"):
        assert "speaking_rate" not in values(samples, transcript=Transcript(text=text, source="given"))
    assert "speaking_rate" not in values(samples)


def test_words_are_counted_in_scripts_that_part_them() -> None:
    assert count_words("Что ты сказал?") == 3
    assert count_words("Ich hab's - doch - gesagt") == 4
    assert count_words("ไม่รู้") is None


# ---------------------------------------------------------------------------------------------------- quality


@pytest.mark.parametrize("pitch", [110.0, 233.0])
@pytest.mark.parametrize("ratio", [0.0, 10.0, 20.0, 30.0])
def test_harmonics_to_noise_is_the_ratio_that_was_mixed(pitch: float, ratio: float) -> None:
    tone = voice(np.full(2 * RATE, pitch)).astype(np.float64)
    hiss = noise(2.0, level=float(np.sqrt(np.mean(tone**2))) * 10 ** (-ratio / 20))
    hz = np.full(2 * RATE // HOP, pitch)
    found = quality.voice_quality((tone + hiss).astype(np.float32), hz)
    assert found is not None
    assert found.harmonics_to_noise == pytest.approx(ratio, abs=1.0)


@pytest.mark.parametrize("high_db", [-30.0, -12.0, 3.0])
def test_tilt_is_the_level_of_the_high_band_over_the_low(high_db: float) -> None:
    time = np.arange(RATE) / RATE
    low, high = np.sin(2 * np.pi * 200 * time), np.sin(2 * np.pi * 2_400 * time)
    samples = (0.1 * (low + 10 ** (high_db / 20) * high)).astype(np.float32)
    found = quality.voice_quality(samples, np.full(RATE // HOP, 200.0))
    assert found is not None
    assert found.tilt == pytest.approx(high_db, abs=0.1)


def test_quality_does_not_depend_on_how_many_frames_are_taken_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = voice(vibrato(150.0, 3.0)) + noise(3.0, 0.01).astype(np.float32)
    hz = track_pitch(samples).hz
    whole = quality.voice_quality(samples, hz)
    monkeypatch.setattr(quality, "BATCH", 7)
    parts = quality.voice_quality(samples, hz)
    assert whole is not None
    assert parts is not None
    assert parts.harmonics_to_noise == pytest.approx(whole.harmonics_to_noise)
    assert parts.tilt == pytest.approx(whole.tilt)


# ----------------------------------------------------------------------------------------------- what is odd


def test_silence_has_a_duration_and_no_more() -> None:
    assert values(np.zeros(RATE)) == {"duration": 1.0, "amplitude": 0.0}


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(1, 6_000),
    kind=st.sampled_from(["noise", "tone", "click", "constant"]),
    level=st.floats(1e-6, 1.0),
)
def test_whatever_is_heard_gives_finite_figures_with_units(length: int, kind: str, level: float) -> None:
    samples = {
        "noise": noise(1.0)[:length],
        "tone": voice(vibrato(200.0, 1.0, seconds=1.0))[:length],
        "click": np.eye(1, length, length // 2)[0],
        "constant": np.ones(length),
    }[kind] * level
    measured = measure_voice(samples.astype(np.float32)).measures
    assert {name: UNITS[name] for name in measured} == {name: m.unit for name, m in measured.items()}
    assert all(np.isfinite(measure.value) for measure in measured.values())


# ------------------------------------------------------------------------------------------------ real speech


def clips(shared: Path, corpus: str, gender: str, count: int) -> list[Utterance]:
    chosen = [u for u in load_corpus(corpus, shared / corpus) if u.gender == gender]
    return chosen[:: len(chosen) // count][:count]


@pytest.mark.shared
@pytest.mark.parametrize("corpus", ["emodb", "ravdess"])
def test_women_and_men_speak_at_their_pitch(corpus: str, shared: Path) -> None:
    found = {
        gender: [
            values(decode(u.audio).samples)["pitch"] for u in clips(shared, corpus, gender, 30) if u.audio
        ]
        for gender in ("female", "male")
    }
    assert 170 < np.median(found["female"]) < 280
    assert 85 < np.median(found["male"]) < 170


@pytest.mark.shared
@pytest.mark.slow
def test_trackers_agree_on_real_speech(shared: Path) -> None:
    pytest.importorskip("librosa", reason="needs the extra 'paper'")
    middles, ranges, cents = [], [], []
    for gender in ("female", "male"):
        for utterance in clips(shared, "emodb", gender, 8):
            assert utterance.audio is not None
            samples = decode(utterance.audio).samples
            ours, theirs = track_pitch(samples), track_pitch(samples, "librosa")
            both = ~np.isnan(ours.hz) & ~np.isnan(theirs.hz)
            cents += list(1200 * np.log2(ours.hz[both] / theirs.hz[both]))
            one, other = values(samples), values(samples, tracker="librosa")
            middles.append(12 * np.log2(one["pitch"] / other["pitch"]))
            ranges.append(one["pitch_range"] - other["pitch_range"])
    # Frames within a semitone: where actors glide, 16 ms make as much. Hardly any lie an octave apart.
    assert np.mean(np.abs(cents) < 100) > 0.8
    assert np.mean(np.abs(cents) > 1000) < 0.01
    # They differ in which frames they take for voiced, and so a little in the middle and the range.
    assert np.median(np.abs(middles)) < 0.8
    assert abs(np.median(middles)) < 0.6
    assert np.median(np.abs(ranges)) < 2.5


SYLLABLES = {  # of EMO-DB's sentences, counted by hand
    "a01": 8, "a02": 9, "a04": 11, "a05": 18, "a07": 10, "b01": 15, "b02": 20, "b03": 24,
    "b09": 17, "b10": 14,
}  # fmt: skip


@pytest.mark.shared
def test_syllables_that_are_heard_go_with_those_of_the_sentence(shared: Path) -> None:
    heard, written = [], []
    for utterance in load_corpus("emodb", shared / "emodb")[::6]:
        assert utterance.audio is not None
        samples = decode(utterance.audio).samples
        voiced = ~np.isnan(track_pitch(samples).hz)
        heard.append(levels.syllable_nuclei(levels.frame_power(samples), voiced))
        written.append(SYLLABLES[utterance.id.split(":")[1][2:5]])
    assert np.corrcoef(heard, written)[0, 1] > 0.8
    assert 0.6 < np.sum(heard) / np.sum(written) < 1.0  # speech swallows some, and the method misses some
