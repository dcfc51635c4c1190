"""Utterances in, predictions out: in order, whole, each by itself."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from emojudge import encoder
from emojudge import recognizer as module
from emojudge.audio.decode import decode
from emojudge.bundle.format import Bundle
from emojudge.emotions import EMOTIONS, scores_in_order
from emojudge.errors import AudioError, TranscriptError
from emojudge.fusion.adaptation import adapt
from emojudge.fusion.calibration import softmax
from emojudge.recognizer import Recognizer, load
from emojudge.records import Failure, Prediction, Transcript, Utterance

pytestmark = pytest.mark.slow  # the first of these exports a bundle


def clip(seconds: float, seed: int = 0) -> np.ndarray:
    time = np.arange(int(seconds * 16_000)) / 16_000
    generator = np.random.default_rng(seed)
    hum = np.sin(2 * np.pi * (120 + 40 * seed) * time) * (1 + np.sin((5 + seed) * time))
    return (0.2 * hum + generator.normal(0, 0.01 + 0.004 * seed, len(time))).astype(np.float32)


class Engine:
    """In place of speech recognition: says how long the recording is, and counts."""

    name = "engine 1"

    def __init__(self) -> None:
        self.heard: list[int] = []

    def __call__(self, samples: np.ndarray) -> Transcript:
        self.heard.append(len(samples))
        if len(samples) == 8000:
            raise TranscriptError("engine", found="noise", expected="speech")
        return Transcript(text="" if len(samples) == 16_000 else "I am so sad", source=self.name)


@pytest.fixture(scope="module")
def recognizer(tiny_bundle: Bundle) -> Recognizer:
    return Recognizer(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for number, seconds in enumerate((0.3, 1.4, 2.9, 0.7, 4.0)):
        soundfile.write(folder / f"{number}.wav", clip(seconds, number), 16_000, subtype="FLOAT")
    return folder


def utterances(folder: Path, **values: object) -> list[Utterance]:
    return [Utterance(id=str(n), audio=folder / f"{n}.wav", **values) for n in range(5)]


def words(text: str) -> Transcript:
    return Transcript(text=text, source="test")


def close(one: Prediction, other: Prediction, atol: float = 1e-4) -> None:
    np.testing.assert_allclose(scores_in_order(one.scores), scores_in_order(other.scores), atol=atol)


def only(prediction: Prediction | Failure) -> Prediction:
    assert isinstance(prediction, Prediction), prediction
    return prediction


# --------------------------------------------------------------------------------------------- one recording


def test_path_bytes_and_array_are_the_same_recording(recognizer: Recognizer, folder: Path):
    path = folder / "1.wav"
    samples = soundfile.read(path, dtype="float32")[0]
    given = [
        recognizer(path),
        recognizer(str(path)),
        recognizer(path.read_bytes()),
        recognizer(samples, rate=16_000),
    ]
    for prediction in given[1:]:
        close(prediction, given[0], 1e-5)
    assert given[0].id == str(path)
    assert given[0].seconds == pytest.approx(1.4)
    assert given[0].bundle == "tiny"


def test_voice_alone(recognizer: Recognizer, folder: Path):
    prediction = recognizer(folder / "1.wav")
    assert prediction.modalities == ("audio",)
    assert prediction.text is None
    assert prediction.scores == prediction.audio.scores
    assert prediction.attributes == prediction.audio.attributes
    assert set(prediction.attributes_from.values()) == {"derived"}
    assert "no transcript: judged by the voice alone" in prediction.notes
    assert sum(prediction.scores.values()) == pytest.approx(1, abs=1e-5)
    assert prediction.scores[prediction.emotion] == max(prediction.scores.values())


def test_words_alone(recognizer: Recognizer):
    (prediction,) = recognizer.predict([Utterance(id="a", transcript=words("so happy"))])
    assert only(prediction).modalities == ("text",)
    assert prediction.audio is None
    assert prediction.seconds is None
    assert prediction.scores == prediction.text.scores
    assert set(prediction.attributes_from.values()) == {"model"}
    assert prediction.notes == ()


def test_voice_and_words_are_fused(recognizer: Recognizer, folder: Path):
    both = recognizer(folder / "1.wav", transcript="I am so happy!")
    (alone,) = recognizer.predict([Utterance(id="a", transcript=words("I am so happy!"))])
    assert both.modalities == ("audio", "text")
    assert set(both.attributes_from.values()) == {"mixed"}
    close(both.model_copy(update={"scores": both.audio.scores}), recognizer(folder / "1.wav"))
    close(both.model_copy(update={"scores": both.text.scores}), only(alone))
    fusion = recognizer.bundle.manifest.fusion
    logits = np.concatenate([scores_in_order(both.audio.logits), scores_in_order(both.text.logits)])
    expected = softmax(np.array(fusion.coefficients) @ logits + fusion.intercept, fusion.temperature)
    np.testing.assert_allclose(scores_in_order(both.scores), expected, atol=1e-5)
    assert both.transcript == Transcript(text="I am so happy!", source="given")


def test_the_opinion_is_the_torch_models(recognizer: Recognizer, tiny_acoustic, folder: Path):
    import torch

    samples = torch.from_numpy(decode(folder / "1.wav").samples)
    with torch.no_grad():
        logits = tiny_acoustic(samples[None], torch.tensor([len(samples)]))[0].numpy()
    np.testing.assert_allclose(scores_in_order(recognizer(folder / "1.wav").audio.logits), logits, atol=1e-3)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_transcript_without_words(recognizer: Recognizer, folder: Path, text: str):
    prediction = recognizer(folder / "1.wav", transcript=text)
    assert prediction.modalities == ("audio",)
    assert "no words found: judged by the voice alone" in prediction.notes


def test_a_rate_with_a_file_is_refused(recognizer: Recognizer, folder: Path):
    for source in (folder / "1.wav", str(folder / "1.wav"), (folder / "1.wav").read_bytes()):
        with pytest.raises(AudioError, match="no rate"):
            recognizer(source, rate=8000)


def test_a_recording_that_cannot_be_used(recognizer: Recognizer, tmp_path: Path):
    (tmp_path / "letter.wav").write_text("Dear all")
    for source in (tmp_path / "none.wav", tmp_path / "letter.wav", b"", clip(0.05)):
        with pytest.raises(AudioError):
            recognizer(source, rate=16_000 if isinstance(source, np.ndarray) else None)


# ------------------------------------------------------------------------------------------- long recordings


@pytest.mark.parametrize(
    ("seconds", "windows"),
    [(3.0, [3.0]), (3.9, [3.9]), (4.5, [3.0, 1.5]), (6.0, [3.0, 3.0]), (9.7, [3.0, 3.0, 3.7])],
)
def test_long_recordings_are_the_mean_of_their_windows(
    recognizer: Recognizer, tmp_path: Path, seconds: float, windows: list[float]
):
    """By duration; a rest of under a second joins the window before."""
    samples = np.concatenate([clip(3.0, seed) for seed in range(4)])[: int(seconds * 16_000)]
    soundfile.write(tmp_path / "long.wav", samples, 16_000, subtype="FLOAT")
    ends = np.cumsum([round(w * 16_000) for w in windows])
    parts = [
        scores_in_order(recognizer(part, rate=16_000).audio.logits) for part in np.split(samples, ends[:-1])
    ]
    mean = np.average(parts, axis=0, weights=windows)
    for prediction in (recognizer(tmp_path / "long.wav"), recognizer(samples, rate=16_000)):
        np.testing.assert_allclose(scores_in_order(prediction.audio.logits), mean, atol=1e-4)
        assert prediction.seconds == pytest.approx(seconds)
        assert (f"mean over {len(windows)} windows" in prediction.notes) == (len(windows) > 1)


# ----------------------------------------------------------------------------------------------- collections


def test_order_is_kept_over_chunks_and_around_failures(
    recognizer: Recognizer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "letter.wav").write_text("Dear all")
    mixed = [
        *utterances(folder)[:2],
        Utterance(id="gone", audio=tmp_path / "gone.wav"),
        Utterance(id="said", transcript=words("you never call")),
        *utterances(folder, transcript=words("so sad"))[2:4],
        Utterance(id="nothing"),
        Utterance(id="letter", audio=tmp_path / "letter.wav", transcript=words("so sad")),
        *utterances(folder)[4:],
    ]
    expected = {u.id: r for u, r in zip(mixed, recognizer.predict(mixed), strict=True)}
    assert {i for i, r in expected.items() if isinstance(r, Failure)} == {"gone", "nothing", "letter"}
    for chunk, pending in ((1, 1), (2, 16_000), (3, 10**9)):
        monkeypatch.setattr(module, "CHUNK", chunk)
        monkeypatch.setattr(encoder, "PENDING", pending)
        results = list(recognizer.predict(iter(mixed)))
        assert [r.id for r in results] == [u.id for u in mixed]
        for result in results:
            if isinstance(result, Failure):
                assert result == expected[result.id]
                assert result.error
            else:
                close(result, only(expected[result.id]))
    for utterance in utterances(folder)[:2]:
        close(recognizer(utterance.audio), only(expected[utterance.id]))


@pytest.mark.parametrize("pending", [1, 10**9])
def test_a_recording_that_fails_on_its_way_takes_nobody_along(
    recognizer: Recognizer, folder: Path, monkeypatch: pytest.MonkeyPatch, pending: int
):
    """Some of its windows may be encoded already, with those of others."""
    expected = list(recognizer.predict(utterances(folder)))
    real = module.stream

    def breaking(source: Path, **options: object):
        inner = real(source, **options)
        if source.name != "2.wav":
            return inner

        class Breaking:
            notes = ()

            def __iter__(self):
                yield clip(3.0, 9)
                yield clip(3.0, 8)
                raise AudioError(source, found="a fault in the middle", expected="the rest")

        return Breaking()

    monkeypatch.setattr(module, "stream", breaking)
    monkeypatch.setattr(encoder, "PENDING", pending)
    results = list(recognizer.predict(utterances(folder)))
    assert isinstance(results[2], Failure)
    assert "a fault in the middle" in results[2].error
    for number in (0, 1, 3, 4):
        close(only(results[number]), only(expected[number]))


def test_decoded_recordings_go_together_with_files(recognizer: Recognizer, folder: Path):
    paths = sorted(folder.glob("*.wav"))[:2]
    first, second = (Utterance(id=path.name, audio=path) for path in paths)
    files = list(recognizer.predict([first, second]))
    arrays = [(Utterance(id=path.name), decode(path)) for path in paths]
    assert list(recognizer.predict([arrays[0], second])) == files == list(recognizer.predict(arrays))


def test_results_come_while_more_is_read(recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "CHUNK", 2)
    asked: list[int] = []

    def endless():
        for number in range(10**9):
            asked.append(number)
            yield Utterance(id=str(number), transcript=words("so sad"))

    results = recognizer.predict(endless())
    assert [next(results).id for _ in range(5)] == ["0", "1", "2", "3", "4"]
    assert len(asked) <= 6 + 2 * 2 + module.DECODED + 2  # given, encoded, decoded, and under way


def test_no_utterances(recognizer: Recognizer):
    assert list(recognizer.predict([])) == []


# --------------------------------------------------------------------------------------------- transcription


def test_only_what_has_no_words_is_transcribed(tiny_bundle: Bundle, folder: Path, tmp_path: Path):
    for name, seconds in (("silent", 1.0), ("noise", 0.5)):
        soundfile.write(tmp_path / f"{name}.wav", clip(seconds), 16_000, subtype="FLOAT")
    engine = Engine()
    items = [
        Utterance(id="said", audio=folder / "0.wav", transcript=words("so happy")),
        Utterance(id="heard", audio=folder / "1.wav"),
        Utterance(id="read", transcript=words("you")),
        Utterance(id="silent", audio=tmp_path / "silent.wav"),
        Utterance(id="noise", audio=tmp_path / "noise.wav"),
    ]
    said, heard, read, silent, noise = Recognizer(tiny_bundle, engine, threads=1).predict(items)
    assert engine.heard == [22_400, 16_000, 8000]
    assert said.transcript.source == read.transcript.source == "test"
    assert heard.transcript == Transcript(text="I am so sad", source="engine 1")
    assert heard.modalities == ("audio", "text")
    assert silent.modalities == ("audio",)
    assert "no words found: judged by the voice alone" in silent.notes
    assert noise == Failure(id="noise", error="engine: found noise; expected speech.")
    close(heard, Recognizer(tiny_bundle, threads=1)(folder / "1.wav", transcript="I am so sad"))


# ------------------------------------------------------------------------------------------------ adaptation


def test_adaptation_to_the_collection(recognizer: Recognizer, folder: Path):
    """By hand: the embeddings, adapted, through the head, weighted over the windows."""
    items = [*utterances(folder), Utterance(id="said", transcript=words("so sad"))]
    results = list(recognizer.predict(items, adapt_to="collection"))
    windows = [decode(u.audio).samples for u in items[:4]]
    long = decode(items[4].audio).samples
    windows += [long[:48_000], long[48_000:]]
    features = recognizer._acoustic.embed(windows)
    adapted = adapt(features, [0] * 6, np.zeros(64), np.ones(64))
    logits = recognizer._acoustic.classify(adapted)
    expected = [*logits[:4], (3 * logits[4] + logits[5]) / 4]
    for result, row in zip(results[:5], expected, strict=True):
        np.testing.assert_allclose(scores_in_order(only(result).audio.logits), row, atol=1e-3)
        assert result.adapted == "collection"
    assert only(results[5]).adapted is None
    plain = list(recognizer.predict(items))
    assert {r.adapted for r in plain} == {None}
    differences = [
        np.abs(scores_in_order(a.audio.logits) - scores_in_order(b.audio.logits)).max()
        for a, b in zip(results[:5], plain[:5], strict=True)
    ]
    assert max(differences) > 1e-2


def test_adaptation_to_speakers(recognizer: Recognizer, folder: Path, tmp_path: Path):
    mine = [u.model_copy(update={"speaker": "me"}) for u in utterances(folder)[:3]]
    yours = [u.model_copy(update={"speaker": "you"}) for u in utterances(folder)[3:]]
    gone = Utterance(id="gone", audio=tmp_path / "gone.wav")
    mixed = [mine[0], yours[0], gone, mine[1], yours[1], mine[2]]
    together = {r.id: r for r in recognizer.predict(mixed, adapt_to="speaker")}
    assert list(together) == [u.id for u in mixed]
    assert isinstance(together["gone"], Failure)
    for group in (mine, yours):
        for result in recognizer.predict(group, adapt_to="collection"):
            close(only(together[result.id]), only(result))
            assert together[result.id].adapted == "speaker"


def test_adaptation_to_speakers_fails_who_has_none_alone(recognizer: Recognizer, folder: Path):
    items = [u.model_copy(update={"speaker": "me"}) for u in utterances(folder)]
    items[1] = items[1].model_copy(update={"speaker": None})
    items.append(Utterance(id="said", transcript=words("so sad")))  # words have no voice to adapt
    results = list(recognizer.predict(items, adapt_to="speaker"))
    assert [r.id for r in results] == [u.id for u in items]
    assert isinstance(results[1], Failure)
    assert results[1].error.startswith("1: found no speaker")
    expected = list(recognizer.predict([items[0], *items[2:]], adapt_to="speaker"))
    for result, other in zip([results[0], *results[2:]], expected, strict=True):
        close(only(result), only(other))
    assert only(results[5]).adapted is None


@pytest.mark.parametrize("group", ["collection", "speaker"])
def test_adaptation_without_a_voice_keeps_the_other_results(
    recognizer: Recognizer, tmp_path: Path, group: str
):
    items = [
        Utterance(id="words", transcript=words("so sad")),
        Utterance(id="gone", audio=tmp_path / "gone.wav", speaker="me"),
    ]
    said, gone = recognizer.predict(items, adapt_to=group)
    assert only(said).modalities == ("text",)
    assert only(said).adapted is None
    assert isinstance(gone, Failure)
    assert list(recognizer.predict([], adapt_to=group)) == []


# -------------------------------------------------------------------------------------- bundles of one model


def part_of(bundle: Bundle, **without: None) -> Bundle:
    return Bundle(bundle.folder, bundle.manifest.model_copy(update=without))


def test_a_bundle_of_words_only(tiny_bundle: Bundle, folder: Path):
    recognizer = Recognizer(part_of(tiny_bundle, audio=None, fusion=None), threads=1)
    items = [
        Utterance(id="both", audio=folder / "0.wav", transcript=words("so sad")),
        Utterance(id="voice", audio=folder / "1.wav"),
        Utterance(id="words", transcript=words("so sad")),
    ]
    both, voice, said = recognizer.predict(items)
    assert only(both).modalities == ("text",)
    assert isinstance(voice, Failure)
    assert "nothing that this bundle's models can use" in voice.error
    close(only(both), only(said))
    assert both.notes == ("the bundle has no model of the voice: judged by the words alone",)
    assert said.notes == ()
    assert [type(r) for r in recognizer.predict(items, adapt_to="speaker")] == [
        *(Prediction, Failure, Prediction)
    ]


def test_a_bundle_of_the_voice_only(tiny_bundle: Bundle, folder: Path):
    engine = Engine()
    recognizer = Recognizer(part_of(tiny_bundle, text=None, fusion=None), engine, threads=1)
    items = [Utterance(id="words", transcript=words("so sad")), *utterances(folder)[:1]]
    said, voice = recognizer.predict(items)
    assert isinstance(said, Failure)
    assert only(voice).modalities == ("audio",)
    assert engine.heard == []  # nobody would read it
    (spoken,) = recognizer.predict(utterances(folder, transcript=words("so sad"))[:1])
    for prediction in (voice, spoken):
        assert prediction.notes == ("the bundle has no model of words: judged by the voice alone",)


def test_load_from_a_folder(tiny_bundle: Bundle, folder: Path):
    loaded = load(tiny_bundle.folder, asr="none", threads=1)
    assert loaded.transcriber is None
    assert loaded(folder / "0.wav").emotion in EMOTIONS
