"""Utterances as batches: targets, padding, cropping, seeds."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.emotions import EMOTIONS, SECONDARY  # noqa: E402
from emojudge.errors import AudioError, CorpusError  # noqa: E402
from emojudge.records import Attributes, Transcript, Utterance  # noqa: E402
from emojudge.training import data as training_data  # noqa: E402
from emojudge.training.data import AudioData, TextData, auxiliary_targets, collate, targets  # noqa: E402


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Utterance]:
    """Three clips of 0.2, 0.5 and 3 s whose samples count up, so that a crop tells where it was taken."""
    folder = tmp_path_factory.mktemp("recordings")
    made = []
    for seconds in (0.2, 0.5, 3.0):
        path = folder / f"{seconds}.wav"
        samples = np.arange(int(seconds * 16_000)) / 60_000
        soundfile.write(path, samples, 16_000, subtype="FLOAT")
        made.append(Utterance(id=str(seconds), audio=path, emotion="sad"))
    return made


def test_targets():
    emotions, attributes = targets(
        [
            Utterance(id="hard", emotion="fear"),
            Utterance(id="soft", emotion="sad", votes={"sad": 0.75, "neutral": 0.25}),
            Utterance(id="rated", attributes=Attributes(valence=1, arousal=4, dominance=7)),
            Utterance(id="nothing"),
        ]
    )
    assert emotions.tolist()[0] == [float(e == "fear") for e in EMOTIONS]
    assert emotions[1, EMOTIONS.index("sad")] == 0.75
    assert emotions[1, EMOTIONS.index("neutral")] == 0.25
    assert not emotions[2:].any()
    assert attributes[2].tolist() == [-1, 0, 1]
    assert np.isnan(attributes[[0, 1, 3]]).all()


def test_auxiliary_targets():
    values = auxiliary_targets(
        [
            Utterance(id="a", gender="female", secondary={"amused": 0.4, "other": 1.0}),
            Utterance(id="b", gender="male"),
            Utterance(id="c", secondary={}),
        ]
    )
    assert values.shape == (3, 18)
    assert values[:2, 0].tolist() == [1.0, 0.0]
    assert np.isnan(values[2, 0])
    assert values[0, 1 + SECONDARY.index("amused")] == pytest.approx(0.4)
    assert values[0, 1:].sum() == pytest.approx(1.4)
    assert np.isnan(values[1, 1:]).all()
    assert not values[2, 1:].any()  # raters who ticked nothing are no unknown raters


def test_audio_sizes_and_cropping(recordings: list[Utterance]):
    data = AudioData(recordings, max_seconds=1.0, augment=False)
    assert data.sizes.tolist() == [3200, 8000, 16_000]
    arrays = data.inputs(np.array([2, 0, 1]), None)
    assert [len(a) for a in arrays] == [16_000, 3200, 8000]
    assert arrays[0][0] == 0  # from the start when it counts
    starts = set()
    for seed in range(12):
        (crop,) = data.inputs(np.array([2]), seed)
        assert len(crop) == 16_000
        np.testing.assert_allclose(np.diff(crop), 1 / 60_000, atol=1e-6)  # one piece
        starts.add(round(float(crop[0]) * 60_000))
    assert len(starts) > 6  # from anywhere in training
    assert max(starts) > 16_000


def test_a_seed_gives_an_item_the_same_clip_in_any_batch(recordings: list[Utterance]):
    pytest.importorskip("audiomentations", reason="needs the extra 'train'")
    data = AudioData(recordings, max_seconds=1.0, augment=True)
    first = data.inputs(np.array([0, 1, 2]), 5)
    again = data.inputs(np.array([2, 0]), 5)
    np.testing.assert_array_equal(first[2], again[0])
    np.testing.assert_array_equal(first[0], again[1])
    other = data.inputs(np.array([0]), 6)[0]
    assert other.shape != first[0].shape or not np.array_equal(other, first[0])
    plain = data.inputs(np.array([0]), None)[0]
    np.testing.assert_allclose(plain, np.arange(3200) / 60_000, atol=1e-6)  # never augmented in validation


def test_collate_pads_with_zeros(recordings: list[Utterance]):
    batch = collate(AudioData(recordings, 1.0, augment=False), np.array([0, 2, 1]))
    assert batch.inputs.shape == (3, 16_000)
    assert batch.inputs.dtype == torch.float32
    assert batch.lengths.tolist() == [3200, 16_000, 8000]
    assert not batch.inputs[0, 3200:].any()
    assert batch.emotions.shape == batch.choices.shape == (3, 8)
    assert batch.attributes.isnan().all()


def test_statistics_are_those_of_all_samples(recordings: list[Utterance]):
    every = np.concatenate([soundfile.read(u.audio)[0] for u in recordings])
    mean, deviation = AudioData(recordings, max_seconds=1.0, augment=False).statistics()
    assert (mean, deviation) == (pytest.approx(every.mean(), abs=1e-6), pytest.approx(every.std(), abs=1e-6))


@pytest.fixture
def spoken(tmp_path: Path) -> list[Utterance]:
    """16-bit clips at full scale, as corpora have them, and one that is resampled to beyond full scale."""
    generator = np.random.default_rng(0)
    made = []
    for number, rate in enumerate((16_000, 16_000, 44_100)):
        path = tmp_path / f"{number}.wav"
        samples = generator.integers(-32768, 32768, rate // 2 + 100 * number).astype(np.int16)
        soundfile.write(path, samples, rate, subtype="PCM_16")
        made.append(Utterance(id=str(number), audio=path, emotion="sad"))
    return made


def test_later_epochs_read_no_codec(spoken: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each recording is decoded once, also over two runs; what comes is what was decoded."""
    plain, every = AudioData(spoken, 0.4, augment=False, trim_db=30.0), np.arange(3)
    expected = {seed: plain.inputs(every, seed) for seed in (None, 3)}
    statistics = plain.statistics()
    real, read = training_data.decode, []
    monkeypatch.setattr(training_data, "decode", lambda path: read.append(path) or real(path))
    for _ in range(2):
        kept = AudioData(spoken, 0.4, augment=False, trim_db=30.0, decoded=tmp_path / "audio")
        assert kept.statistics() == pytest.approx(statistics, abs=2e-3)  # one has clipped samples
        for seed, arrays in expected.items():
            for one, other in zip(kept.inputs(every, seed), arrays, strict=True):
                assert one.dtype == np.float32
                np.testing.assert_allclose(one, other.clip(-1, 32767 / 32768), atol=0.5 / 32768)
        assert read == [utterance.audio for utterance in spoken]
    samples, rate = soundfile.read(spoken[0].audio, dtype="int16")
    soundfile.write(spoken[0].audio, samples[::-1], rate, subtype="PCM_16")
    changed = AudioData(spoken, 0.4, augment=False, decoded=tmp_path / "audio").inputs(np.array([0]), None)[0]
    np.testing.assert_array_equal(changed, samples[::-1][:6400] / np.float32(32768))  # and nothing is lost


def test_decoded_audio_stays_on_disk(spoken: list[Utterance], tmp_path: Path):
    data = AudioData(spoken, 9.0, augment=False, decoded=tmp_path / "audio")
    (file,) = (tmp_path / "audio").glob("*.i16")
    assert file.stat().st_size == 2 * data.sizes.sum() == 2 * sum(map(len, data.inputs(np.arange(3), None)))
    assert isinstance(data._decoded.values, np.memmap)


def test_decoding_that_was_broken_off_begins_anew(
    spoken: list[Utterance], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = training_data.decode

    def broken(path: Path):
        if path == spoken[2].audio:
            raise KeyboardInterrupt
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(training_data, "decode", broken)
        with pytest.raises(KeyboardInterrupt):
            AudioData(spoken, 9.0, augment=False, decoded=tmp_path / "audio")
    data = AudioData(spoken, 9.0, augment=False, decoded=tmp_path / "audio")
    assert len(data.inputs(np.array([2]), None)[0]) == data.sizes[2] > 8000


def test_statistics_of_a_constant(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.full(4000, 0.1), 16_000, subtype="FLOAT")
    mean, deviation = AudioData(
        [Utterance(id="a", audio=tmp_path / "a.wav")], 1.0, augment=False
    ).statistics()
    assert (mean, deviation) == (pytest.approx(0.1), pytest.approx(0.0, abs=1e-6))


def test_formats_that_libsndfile_does_not_know(tmp_path: Path):
    av = pytest.importorskip("av", reason="needs the extra 'media'")
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, 16_000), 0.1, np.float32), "fltp", "mono")
        frame.rate = 16_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    data = AudioData([Utterance(id="a", audio=path)], 5.0, augment=False)
    assert abs(int(data.sizes[0]) - 16_000) < 3200


@pytest.mark.parametrize("content", [b"", b"no recording", None])
def test_a_file_that_is_no_recording_is_named(tmp_path: Path, content: bytes | None):
    path = tmp_path / "broken.wav"
    if content is not None:
        path.write_bytes(content)
    for decoded in (None, tmp_path / "audio"):
        with pytest.raises(AudioError, match=r"broken\.wav"):
            AudioData([Utterance(id="a", audio=path)], 1.0, augment=False, decoded=decoded)


def test_text(tiny_tokenizer: Path):
    from tokenizers import Tokenizer

    utterances = [
        Utterance(id="a", transcript=Transcript(text="I am so happy!", source="x"), emotion="happy"),
        Utterance(id="b", transcript=Transcript(text="you never call " * 9, source="x"), emotion="sad"),
        Utterance(id="c", transcript=Transcript(text="", source="x"), emotion="sad"),
    ]
    data = TextData(utterances, Tokenizer.from_file(str(tiny_tokenizer)), max_tokens=10)
    assert data.sizes.tolist() == [7, 10, 2]
    batch = collate(data, np.array([2, 0]))
    assert batch.inputs.tolist() == [[2, 3, 0, 0, 0, 0, 0], [2, 4, 5, 6, 7, 9, 3]]
    assert batch.lengths.tolist() == [2, 7]


def test_what_a_model_cannot_read_is_named(tiny_tokenizer: Path):
    from tokenizers import Tokenizer

    with pytest.raises(CorpusError, match="u7: found no audio file"):
        AudioData([Utterance(id="u7", emotion="sad")], 1.0, augment=False)
    with pytest.raises(CorpusError, match="u7: found no transcript"):
        TextData([Utterance(id="u7", emotion="sad")], Tokenizer.from_file(str(tiny_tokenizer)), 10)


def test_the_folder_may_move(recordings: list[Utterance], tmp_path: Path):
    """What a seed gives depends on the item's place, not on its path."""
    moved = []
    for utterance in recordings:
        shutil.copy(utterance.audio, tmp_path)
        moved.append(utterance.model_copy(update={"audio": tmp_path / utterance.audio.name}))
    here, there = (AudioData(u, 1.0, augment=False).inputs(np.array([2]), 9)[0] for u in (recordings, moved))
    np.testing.assert_array_equal(here, there)
