"""Stress tests with recognisers whose faults are planted: each has to be found, and an honest one to pass."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("audiomentations", reason="needs the extra 'stress'")

from emojudge.audio.decode import decode
from emojudge.bundle.format import MANIFEST, Bundle
from emojudge.emotions import ATTRIBUTES, EMOTIONS, Emotion, attributes_of
from emojudge.errors import EmojudgeError
from emojudge.evaluation.stress.accents import accents
from emojudge.evaluation.stress.check import Check, Heard, Skip
from emojudge.evaluation.stress.conditions import conditions
from emojudge.evaluation.stress.correctness import correctness, spearman
from emojudge.evaluation.stress.fairness import SEX, equal_odds, languages
from emojudge.evaluation.stress.run import Corpus, Settings, stress
from emojudge.evaluation.stress.sentences import FRAMES, SENTIMENTS, Sentiment
from emojudge.evaluation.stress.sentiment import sentiment
from emojudge.evaluation.stress.synthesis import ACCENTS, PROGRAM, by_accent, by_sentiment
from emojudge.evaluation.stress.tables import HEADING, card_section, stress_tables, with_section
from emojudge.recognizer import Recognizer
from emojudge.records import Attributes, Failure, Prediction, Transcript, Utterance

FOUR: tuple[Emotion, ...] = ("angry", "sad", "happy", "neutral")
SMALL = Settings(recordings=64, changed=24)


def prediction(name: str, emotion: Emotion) -> Prediction:
    scores = {e: 0.93 if e == emotion else 0.01 for e in EMOTIONS}
    rated = attributes_of(np.array(list(scores.values())))
    return Prediction(
        id=name,
        emotion=emotion,
        scores=scores,
        attributes=Attributes(**{n: float(v) for n, v in zip(ATTRIBUTES, rated, strict=True)}),
        attributes_from=dict.fromkeys(ATTRIBUTES, "derived"),
        modalities=("audio",),
        bundle="planted",
    )


def by_pitch(utterances: Iterable[Utterance]) -> Iterator[Prediction | Failure]:
    """An honest recogniser of the corpus below: each emotion has its pitch, whatever is added softly."""
    for utterance in utterances:
        samples = decode(utterance.audio or Path()).samples
        spectrum = np.abs(np.fft.rfft(samples, 16_000))[50:1000]
        hz = 50 + int(spectrum.argmax())
        yield prediction(utterance.id, FOUR[min(3, max(0, (hz - 100) // 100))])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """Four tones for four emotions, eight speakers, men and women, two recordings of each."""
    folder = tmp_path_factory.mktemp("tones")
    random = np.random.default_rng(0)
    time = np.arange(8000) / 16_000
    made = []
    for speaker in range(8):
        for number, emotion in enumerate(FOUR):
            for take in range(2):
                path = folder / f"{speaker}-{emotion}-{take}.wav"
                tone = 0.3 * np.sin(2 * np.pi * (150 + 100 * number + random.integers(-9, 9)) * time)
                soundfile.write(path, tone + random.normal(0, 0.001, 8000), 16_000)
                gender = "female" if speaker % 2 else "male"
                made.append(
                    Utterance(
                        id=path.stem,
                        audio=path,
                        speaker=f"s{speaker}",
                        gender=gender,
                        language="en",
                        emotion=emotion,
                    )
                )
    return made


def named(found: Iterable[Check | Skip], test: str) -> list[Check]:
    return [each for each in found if isinstance(each, Check) and each.test == test]


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the synthesiser's sentences, which have tests of their own."""
    monkeypatch.setattr("emojudge.evaluation.stress.run.by_accent", _nothing)


def _nothing(folder: Path) -> Any:
    raise EmojudgeError("espeak-ng", found="nothing", expected="nothing, in this test")


@pytest.mark.usefixtures("silent")
def test_an_honest_recogniser_is_right_fair_and_robust(corpus: list[Utterance]) -> None:
    found = stress(by_pitch, "tones", [Corpus("tones", corpus)], SMALL)
    assert found.corpora == {"tones": 64}
    failed = [c for c in found.checks if not c.passed and c.test != "consistency"]
    # Dense noise and µ-law's hiss are louder than nothing, but a tone stands out of them: nothing fails.
    assert [f"{c.test} {c.name} {c.value}" for c in failed] == []
    assert {c.test for c in found.checks} >= {
        "classification", "distribution", "consistency", "sex", "background noise",
        "low quality phone", "codecs", "simulated recording condition", "spectral tilt", "levels",
        "small changes",
    }  # fmt: skip
    assert len(found.checks) > 100
    assert {skip.test for skip in found.skips} >= {"regression", "accent", "language", "speaker average"}


@pytest.mark.usefixtures("silent")
def test_a_recogniser_of_loudness_is_not_robust_to_gain(
    corpus: list[Utterance], monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = [condition for condition in conditions() if condition.test == "levels"]
    monkeypatch.setattr("emojudge.evaluation.stress.run.conditions", lambda: levels)

    def by_level(utterances: Iterable[Utterance]) -> Iterator[Prediction | Failure]:
        for utterance in utterances:
            level = float(np.abs(decode(utterance.audio or Path()).samples).max())
            yield prediction(utterance.id, FOUR[int(level * 40) % 4])

    found = stress(by_level, "loud", [Corpus("tones", corpus)], SMALL)
    gain = next(c for c in named(found.checks, "levels") if c.name == "gain -20 dB: unchanged predictions")
    assert not gain.passed
    assert not all(c.passed for c in named(found.checks, "classification"))


def test_a_recogniser_that_fails_women_is_unfair() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(3, size=800)
    woman = np.arange(800) % 2 == 0
    said = np.where(woman & (random.random(800) < 0.6), (truth + 1) % 3, truth)
    heard = Heard(np.eye(8)[said], np.zeros((800, 3)))
    groups = ["female" if w else "male" for w in woman]
    unfair = named(equal_odds("x", "sex", groups, truth, heard, SEX), "sex")
    assert {c.passed for c in unfair if c.name.endswith("UAR")} == {False}
    fair = named(equal_odds("x", "sex", groups, truth, Heard(np.eye(8)[truth], heard.attributes), SEX), "sex")
    assert all(c.passed for c in fair)
    assert not all(c.published for c in fair)  # 400 of a group: wider than the publication's for 1,000
    few = equal_odds("x", "sex", ["female"] * 795 + ["male"] * 5, truth, heard, SEX)
    assert isinstance(few[0], Skip)


def test_by_chance_alone_hardly_a_group_is_found_unfair() -> None:
    """A recogniser without bias that is right in half of the cases: the thresholds of its size hold."""
    random = np.random.default_rng(2)
    failed, count = 0, 0
    for _ in range(20):
        truth = random.integers(4, size=120)
        said = np.where(random.random(120) < 0.5, truth, random.integers(4, size=120))
        groups = ["a" if x else "b" for x in random.random(120) < 0.5]
        found = named(
            equal_odds("x", "sex", groups, truth, Heard(np.eye(8)[said], np.zeros((120, 3))), SEX), "sex"
        )
        failed, count = failed + sum(not c.passed for c in found), count + len(found)
    assert count > 300
    assert failed <= 0.02 * count


def test_a_language_that_sounds_sad_is_found() -> None:
    truth = np.tile(np.arange(3), 40)
    always_sad = Heard(np.tile(np.eye(8)[1], (120, 1)), np.zeros((120, 3)))
    right = Heard(np.eye(8)[truth], np.zeros((120, 3)))
    found = named(languages({"en": (["a"], right, truth), "pl": (["b"], always_sad, truth)}), "language")
    assert {c.passed for c in found if "share of sad" in c.name} == {False}
    assert all(
        c.passed
        for c in named(languages({"en": (["a"], right, truth), "de": (["b"], right, truth)}), "language")
    )


def test_ranking_of_speakers_with_different_shares() -> None:
    random = np.random.default_rng(3)
    utterances, truth = [], []
    for speaker in range(12):
        for index in range(30):
            emotion = "sad" if index < 2 * speaker + 3 else "happy"
            utterances.append(Utterance(id=f"{speaker}-{index}", speaker=f"s{speaker}", emotion=emotion))
            truth.append(EMOTIONS.index(emotion))
    t = np.array(truth)
    right = named(
        correctness("x", utterances, t, Heard(np.eye(8)[t], np.full((360, 3), 0.5))), "speaker ranking"
    )
    assert len(right) == 8
    assert all(c.passed for c in right)
    coin = np.where(random.random(360) < 0.5, 1, 2)
    wrong = named(
        correctness("x", utterances, t, Heard(np.eye(8)[coin], np.full((360, 3), 0.5))), "speaker ranking"
    )
    assert not all(c.passed for c in wrong)


def test_spearman_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(4)
    one, other = random.integers(5, size=(2, 30)).astype(float)
    assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)


def test_thresholds_are_compared_after_rounding_as_published() -> None:
    def check(value: float, kind: Any) -> bool:
        return Check("fairness", "t", "n", "d", value, 0.075, kind, 9).passed

    assert check(0.0751, "at least")
    assert not check(0.0749, "at least")
    assert check(-0.07, "within")
    assert not check(-0.076, "within")
    assert check(0.0749, "at most")


@pytest.mark.parametrize("condition", conditions(), ids=lambda c: f"{c.test}: {c.name}")
def test_conditions_are_repeatable_and_leave_speech(condition: Any) -> None:
    random = np.random.default_rng(5)
    time = np.arange(24_000) / 16_000
    voices = [
        (
            0.2 * sum(np.sin(2 * np.pi * f * k * time) / k for k in range(1, 9))
            + random.normal(0, 0.002, 24_000)
        ).astype(np.float32)
        for f in (120, 150, 210, 240, 180)
    ]
    before = voices[0].copy()
    one, again = (condition.change(voices[0], np.random.default_rng(6), voices[1:]) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(before, voices[0])
    assert one.dtype == np.float32
    assert np.isfinite(one).all()
    assert one.std() > 0.005
    assert len(one) >= len(before) // 2
    silent = condition.change(np.zeros(8000, np.float32), np.random.default_rng(6), voices[1:])
    assert np.isfinite(silent).all()


# ---------------------------------------------------------------------------------------- sentiment of words


def spoken(folder: Path) -> list[tuple[Sentiment, Utterance]]:
    """The sentences of two languages with one neutral tone for all of them."""
    path = folder / "tone.wav"
    soundfile.write(path, 0.1 * np.sin(2 * np.pi * 140 * np.arange(16_000) / 16_000), 16_000)
    made = []
    for language in ("en", "de"):
        for kind in SENTIMENTS:
            for text in FRAMES[language].filled(kind):
                words = Transcript(text=text, source="test", language=language)
                made.append((kind, Utterance(id=text, audio=path, transcript=words, language=language)))
    return made


def planted(folder: Path, voice: float, words: float) -> Bundle:
    """The embedded bundle with another fusion: so much of the voice's logits, so much of the words'."""
    embedded = Bundle.open()
    for name in os.listdir(embedded.folder):
        if name != MANIFEST:
            (folder / name).symlink_to(embedded.folder / name)
    content = json.loads((embedded.folder / MANIFEST).read_text(encoding="utf-8"))
    content["fusion"]["coefficients"] = np.hstack([voice * np.eye(8), words * np.eye(8)]).tolist()
    content["fusion"]["intercept"] = [0.0] * 8
    (folder / MANIFEST).write_text(json.dumps(content), encoding="utf-8")
    return Bundle.open(folder)


def test_a_bundle_that_follows_words_and_ignores_the_voice_is_found(tmp_path: Path) -> None:
    biased = Recognizer(planted(tmp_path, 0.0, 3.0), threads=1)
    found = named(sentiment(biased.predict, spoken(tmp_path)), "linguistic sentiment")
    words = [c for c in found if c.data == "voice and words"]
    assert not all(c.passed for c in words if "words against neutral ones" in c.name)
    assert any("share of happy, positive words" in c.name and not c.passed for c in words)
    alone = [c for c in found if c.data == "voice alone"]
    assert all(c.passed for c in alone)  # the tone is the same: nothing can differ without the words


def test_a_bundle_that_ignores_words_passes(tmp_path: Path) -> None:
    deaf_to_words = Recognizer(planted(tmp_path, 1.0, 0.0), threads=1)
    found = named(sentiment(deaf_to_words.predict, spoken(tmp_path)), "linguistic sentiment")
    assert all(c.passed for c in found)
    assert len(found) == 22 + 16 + 2 * 2 * 3


@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="needs espeak-ng on the PATH")
def test_sentences_are_spoken_by_two_voices(tmp_path: Path) -> None:
    made = by_sentiment(tmp_path, ["en"])
    assert len(made) == 3 * 8 * 2
    assert {kind for kind, _ in made} == set(SENTIMENTS)
    lengths = [len(decode(u.audio or Path()).samples) / 16_000 for _, u in made]
    assert 0.8 < min(lengths) < max(lengths) < 4
    assert made[0][1].transcript is not None
    assert "terrible" in made[0][1].transcript.text


def test_without_a_synthesiser_the_tests_are_said_not_to_be_run(
    corpus: list[Utterance], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emojudge.evaluation.stress.synthesis.shutil.which", lambda name: None)
    monkeypatch.setattr("emojudge.evaluation.stress.run.conditions", list)
    found = stress(by_pitch, "tones", [Corpus("tones", corpus)], SMALL)
    skipped = {s.test: s.why for s in found.skips}
    assert "espeak-ng" in skipped["linguistic sentiment"]
    assert "espeak-ng" in skipped["accent"]


@pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="needs espeak-ng on the PATH")
def test_accents_are_told_apart_by_a_recogniser_that_hears_them(tmp_path: Path) -> None:
    made = by_accent(tmp_path, {name: ACCENTS[name] for name in ("American", "Scottish")})
    assert len(made) == 2 * 3 * 8 * 2
    assert len({decode(u.audio or Path()).samples.tobytes() for _, u in made}) == len(made)

    def predict(utterances: Iterable[Utterance]) -> Iterator[Prediction | Failure]:
        for u in utterances:
            assert u.transcript is None
            yield prediction(u.id, "angry" if "scotland" in u.id else "neutral")

    found = named(accents(predict, made), "accent")
    failed = [c.name for c in found if not c.passed]
    assert any("Scottish: share" in name for name in failed)
    assert any("American: share" in name for name in failed)
    fair = named(accents(lambda us: (prediction(u.id, "neutral") for u in us), made), "accent")
    assert len(fair) == 2 * 4
    assert all(c.passed for c in fair)


# ---------------------------------------------------------------------------------------- the run as a whole


@pytest.mark.usefixtures("silent")
def test_what_was_heard_is_kept_and_a_killed_run_goes_on(
    corpus: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emojudge.evaluation.stress.run.conditions", lambda: conditions()[:3])
    asked: list[str] = []

    def counting(limit: int) -> Any:
        def predict(utterances: Iterable[Utterance]) -> Iterator[Prediction | Failure]:
            for result in by_pitch(utterances):
                if len(asked) >= limit:
                    raise KeyboardInterrupt
                asked.append(result.id)
                yield result

        return predict

    options: dict[str, Any] = {"keep": tmp_path / "kept", "key": "a"}
    with pytest.raises(KeyboardInterrupt):
        stress(counting(100), "tones", [Corpus("tones", corpus)], SMALL, **options)
    assert len(asked) == 100
    first = stress(counting(10_000), "tones", [Corpus("tones", corpus)], SMALL, **options)
    total = 64 + 24 * 4
    assert len(asked) == 100 + total - (64 + 24)  # what was complete is not heard again, the broken part is
    again = stress(counting(0), "tones", [Corpus("tones", corpus)], SMALL, **options)
    assert again.as_dict() == first.as_dict()
    with pytest.raises(KeyboardInterrupt):  # another bundle's predictions are its own
        stress(counting(0), "tones", [Corpus("tones", corpus)], SMALL, keep=tmp_path / "kept", key="b")


@pytest.mark.usefixtures("silent")
def test_recordings_that_fail_are_wrong_but_do_not_end_it(corpus: list[Utterance], monkeypatch: Any) -> None:
    monkeypatch.setattr("emojudge.evaluation.stress.run.conditions", lambda: conditions()[:1])

    def half(utterances: Iterable[Utterance]) -> Iterator[Prediction | Failure]:
        for index, result in enumerate(by_pitch(utterances)):
            yield Failure(id=result.id, error="broken") if index % 2 else result

    found = stress(half, "tones", [Corpus("tones", corpus)], SMALL)
    uar = next(c for c in found.checks if c.name == "UAR")
    assert 0.3 < uar.value < 0.7


def test_corpora_without_two_emotions_are_refused() -> None:
    with pytest.raises(EmojudgeError, match="two emotions"):
        stress(by_pitch, "x", [Corpus("empty", [])])


@pytest.mark.usefixtures("silent")
def test_the_result_is_a_table_and_a_section_of_the_card(corpus: list[Utterance], monkeypatch: Any) -> None:
    monkeypatch.setattr("emojudge.evaluation.stress.run.conditions", lambda: conditions()[:2])
    found = stress(by_pitch, "tones", [Corpus("tones", corpus)], SMALL).as_dict()
    json.dumps(found, allow_nan=False)
    titles = [table.title for table in stress_tables(found)]
    assert titles[0] == f"tones: {found['passed']} of {found['tests']} stress tests passed"
    section = card_section(found)
    assert section.startswith(HEADING)
    assert "tones (64 recordings)" in section
    assert "learned from" not in section
    assert "learned from tones" in card_section(found, {"tones", "other"})
    card = with_section("# Card\n\n## What it is not for\n- x\n", section)
    assert with_section(card, section) == card
    assert card.count(HEADING) == 1
