"""Bins of voices: whose quantiles, which bin, and the file that keeps them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emojudge.audio.prosody import UNITS, Voice
from emojudge.bundle.format import Bundle, write_manifest
from emojudge.errors import BundleError, EmojudgeError
from emojudge.judge.bins import (
    GROUP_CLIPS,
    LABELS,
    QUANTILES,
    SPEAKER_CLIPS,
    Bins,
    add_bins,
    bin_of,
    bins_of,
    fit_bins,
    measure_all,
)
from emojudge.records import Failure, Measure, Transcript, Utterance

WORDS = Transcript(text="some words", source="given")


def voice(extractor: str = "swift-f0 0.3.0", **values: float) -> Voice:
    found = {"duration": 2.0, **values}
    return Voice({name: Measure(value=v, unit=UNITS[name]) for name, v in found.items()}, extractor)


def people(
    name: str, pitches: list[float], gender: str | None = None, corpus: str = "calls", **values: float
) -> list[tuple[Utterance, Voice]]:
    """A speaker's clips, one of each pitch."""
    return [
        (
            Utterance.model_validate(
                {"id": f"{corpus}:{name}-{i}", "speaker": name, "gender": gender, "transcript": WORDS}
            ),
            voice(pitch=pitch, **values),
        )
        for i, pitch in enumerate(pitches)
    ]


def spread(low: float, high: float, count: int = GROUP_CLIPS) -> list[float]:
    return [float(v) for v in np.linspace(low, high, count)]


@settings(deadline=None)
@given(st.lists(st.floats(-100, 600), min_size=20, max_size=200, unique=True))
def test_cuts_are_quantiles(pitches: list[float]) -> None:
    bins = fit_bins(people("a", pitches))
    expected = np.quantile(pitches, QUANTILES, method="inverted_cdf")
    np.testing.assert_allclose(bins.overall.cuts["pitch"], expected, rtol=1e-3, atol=1e-4)
    counts = dict.fromkeys(LABELS, 0)
    for pitch in pitches:
        counts[bin_of(pitch, tuple(float(v) for v in expected))] += 1  # type: ignore[arg-type]
    shares = np.array(list(counts.values())) / len(pitches)
    np.testing.assert_allclose(shares, [0.1, 0.15, 0.5, 0.15, 0.1], atol=1.0 / len(pitches) + 1e-9)


@settings(deadline=None)
@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_a_higher_value_is_in_no_lower_bin(one: float, other: float) -> None:
    cuts = (1.0, 2.0, 3.0, 4.0)
    low, high = sorted([one, other])
    assert LABELS.index(bin_of(low, cuts)) <= LABELS.index(bin_of(high, cuts))


def test_the_nearest_reference_makes_the_bin() -> None:
    measured = [
        *people("deep", spread(70, 90, SPEAKER_CLIPS), "male"),
        *people("few", spread(200, 210, SPEAKER_CLIPS - 1), "female"),
        *people("men", spread(90, 200), "male"),
        *people("women", spread(160, 320), "female"),
    ]
    bins = fit_bins(measured, speakers=True)
    assert set(bins.speakers) == {"deep", "men", "women"}

    def placed(pitch: float, speaker: str | None, gender: str | None) -> tuple[str | None, str | None]:
        measure = bins.place(voice(pitch=pitch), speaker, gender)["pitch"]  # type: ignore[arg-type]
        assert measure.value == pitch
        return measure.bin, measure.reference

    assert placed(90, "deep", "male") == ("very high", "speaker")
    assert placed(90, "stranger", "male")[1] == "gender"
    assert placed(180, "few", "female") == ("low", "gender")
    assert placed(180, None, "male") == ("high", "gender")
    assert placed(180, None, None) == ("moderate", "overall")


def test_speakers_are_kept_only_when_asked() -> None:
    assert fit_bins(people("someone", spread(90, 200))).speakers == {}


def test_too_few_of_a_gender_make_no_reference() -> None:
    bins = fit_bins(people("a", spread(90, 200, GROUP_CLIPS - 1), "male"))
    assert bins.genders == {}
    assert bins.overall.clips == GROUP_CLIPS - 1


def test_corpora_count_the_same_whatever_their_size() -> None:
    few = people("a", spread(100, 110, 40), corpus="small")
    many = people("b", spread(300, 310, 400), corpus="large")
    low, lower, upper, high = fit_bins([*few, *many]).overall.cuts["pitch"]
    assert (low < 110, lower < 111, upper > 299, high > 300) == (True, True, True, True)
    assert fit_bins([*few, *many]).source == {"small": 40, "large": 400}


def test_rates_are_of_those_who_speak() -> None:
    talk = people("a", spread(100, 200), articulation_rate=4.0)
    laughs = [
        (u.model_copy(update={"id": f"bursts:{u.id}", "transcript": None}), v)
        for u, v in people("b", spread(100, 200), articulation_rate=1.0)
    ]
    talk += people("c", spread(100, 200), articulation_rate=5.0)
    cuts = fit_bins([*talk, *laughs]).overall.cuts["articulation_rate"]
    assert min(cuts) == 4.0


def test_a_measure_that_hardly_varies_has_no_bins() -> None:
    bins = fit_bins(people("a", spread(100, 200), pause_share=0.0))
    assert "pause_share" not in bins.overall.cuts
    measure = bins.place(voice(pause_share=0.0, pitch=150.0))["pause_share"]
    assert (measure.bin, measure.reference) == (None, None)


def test_short_clips_do_not_count() -> None:
    short = [(u, voice(duration=0.4, pitch=500.0)) for u, _ in people("a", spread(1, 2, 30))]
    bins = fit_bins([*short, *people("b", spread(100, 200))])
    assert bins.overall.clips == GROUP_CLIPS
    with pytest.raises(EmojudgeError, match="no clip"):
        fit_bins(short)


def test_trackers_are_not_mixed() -> None:
    measured = people("a", spread(100, 200))
    bins = fit_bins(measured)
    assert bins.place(voice("swift-f0 0.3.1", pitch=150.0))["pitch"].bin == "moderate"  # a later version
    with pytest.raises(EmojudgeError, match=r"librosa\.pyin 0\.11.*swift-f0"):
        bins.place(voice("librosa.pyin 0.11", pitch=150.0))
    with pytest.raises(EmojudgeError, match="by one tracker"):
        fit_bins([*measured, (measured[0][0], voice("librosa.pyin 0.11", pitch=150.0))])


# ------------------------------------------------------------------------------------------------------ files


def test_file_gives_back_what_was_written(tmp_path: Path) -> None:
    bins = fit_bins(people("a", spread(100, 200), "female"), speakers=True)
    bins.write(tmp_path / "prosody.json")
    assert Bins.read(tmp_path / "prosody.json") == bins
    assert [path.name for path in tmp_path.iterdir()] == ["prosody.json"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"format": 2}, "format"),
        ({"overall": {"clips": 3, "cuts": {"pitch": [4, 3, 2, 1]}}}, "do not ascend"),
        ({"overall": {"clips": 3, "cuts": {"pitch": [1, 2]}}}, "overall.cuts.pitch"),
        ({"other": 1}, "other"),
    ],
)
def test_other_files_are_refused(change: dict[str, object], found: str, tmp_path: Path) -> None:
    path = tmp_path / "prosody.json"
    content = json.loads(fit_bins(people("a", spread(100, 200))).model_dump_json())
    path.write_text(json.dumps(content | change), encoding="utf-8")
    with pytest.raises(BundleError, match=found):
        Bins.read(path)
    with pytest.raises(BundleError, match="No such file"):
        Bins.read(tmp_path / "none.json")


def test_bundle_keeps_bins_under_its_hashes(tiny_bundle: Bundle, tmp_path: Path) -> None:
    bundle = Bundle.open(shutil.copytree(tiny_bundle.folder, tmp_path / "mine"))
    assert bins_of(bundle) is None
    bins = fit_bins(people("a", spread(100, 200)))
    changed = add_bins(bundle, bins)
    assert bins_of(changed) == bins
    assert changed.manifest.model_copy(update={"hashes": {}}) == bundle.manifest.model_copy(
        update={"hashes": {}}
    )
    (bundle.folder / "prosody.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BundleError, match=r"prosody\.json"):
        Bundle.open(bundle.folder)
    write_manifest(bundle.folder, bundle.manifest)
    with pytest.raises(BundleError, match="expected bins of voices"):
        bins_of(Bundle.open(bundle.folder))


def test_a_recording_that_cannot_be_measured_leaves_the_others(tmp_path: Path) -> None:
    pytest.importorskip("swift_f0", reason="needs the extra 'judge'")
    import soundfile

    time = np.arange(16_000) / 16_000
    soundfile.write(tmp_path / "good.wav", 0.3 * np.sin(2 * np.pi * 150 * time), 16_000)
    utterances = [
        Utterance(id="none", audio=tmp_path / "none.wav"),
        Utterance(id="words alone"),
        Utterance(id="good", audio=tmp_path / "good.wav"),
    ]
    first, second, third = measure_all(utterances)
    assert isinstance(first, Failure)
    assert "no such file" in first.error
    assert isinstance(second, Failure)
    assert "no recording" in second.error
    assert not isinstance(third, Failure)
    assert third[1].measures["pitch"].value == pytest.approx(150, rel=0.02)


def test_embedded_bundle_has_bins_of_its_training_recordings() -> None:
    bins = bins_of(Bundle.open())
    assert bins is not None
    assert set(bins.source) == {"emodb", "emogator"}
    assert set(bins.genders) == {"female", "male"}
    assert bins.speakers == {}
    for name in ("loudness", "pitch", "pitch_range", "harmonics_to_noise", "tilt"):
        assert name in bins.overall.cuts
    women, men = (bins.genders[gender].cuts["pitch"] for gender in ("female", "male"))  # type: ignore[index]
    assert all(high > low for high, low in zip(women, men, strict=True))
