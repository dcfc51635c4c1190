"""MSP-Podcast as every release has it, from small corpora in their exact layouts."""

import logging
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from emojudge.corpora import load_corpus
from emojudge.corpora.msp_votes import Annotation, Tally, annotations, tally
from emojudge.emotions import EMOTIONS
from emojudge.errors import CorpusError
from emojudge.records import Utterance
from tests.corpora.msp_layout import RELEASES, Clip, Vote, clips, noise, votes, write_release

SPLITS = ("Train", "Development", "Test1", "Test2", "Test3")


def read(folder: Path) -> dict[str, Utterance]:
    return {u.id: u for u in load_corpus("msp_podcast", folder)}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The challenge's release, small."""
    return write_release(tmp_path / "copy", "challenge", clips())


@pytest.mark.parametrize("as_json", [False, True], ids=["csv", "json"])
@pytest.mark.parametrize("release", RELEASES)
def test_every_release_reads_alike(release: str, as_json: bool, tmp_path: Path) -> None:
    layout = RELEASES[release]
    written = [clip for clip in clips(SPLITS) if clip.split not in layout.dropped]
    utterances = read(write_release(tmp_path, release, written, as_json=as_json))
    assert sorted(utterances) == sorted(clip.file for clip in written)
    for clip in written:
        utterance = utterances[clip.file]
        assert utterance.audio == tmp_path / layout.audio / clip.file
        assert utterance.split == {"Train": "train", "Development": "dev"}.get(clip.split, clip.split.lower())
        if clip.split in layout.hidden:
            assert utterance.label is utterance.emotion is utterance.votes is utterance.transcript is None
            continue
        known = clip.speaker != "Unknown"
        assert utterance.speaker == (f"msp_podcast:{clip.speaker}" if known else None)
        assert utterance.gender == (clip.gender.lower() if known else None)
        assert utterance.transcript is not None
        assert utterance.transcript.text == clip.transcript
        assert utterance.attributes is not None
        assert utterance.attributes.arousal == pytest.approx(clip.mean("activation"))
        assert utterance.attributes.valence == pytest.approx(clip.mean("valence"))
        assert utterance.attributes.dominance == pytest.approx(clip.mean("dominance"))
        assert (utterance.words_per_second is not None) == layout.alignments


@pytest.mark.parametrize("release", ["1.6", "1.8", "2.0"])
def test_labels_say_emotion_votes_and_what_else_was_heard(release: str, tmp_path: Path) -> None:
    utterances = read(write_release(tmp_path, release, clips(("Train",))))
    happy, other, tied = (utterances[f"MSP-PODCAST_0001_{number:04d}.wav"] for number in (3, 9, 10))
    assert (happy.emotion, happy.label, happy.other_votes) == ("happy", None, 0.2)
    assert happy.votes == {"happy": 0.75, "neutral": 0.25}
    assert happy.secondary == {"concerned": 0.6, "disappointed": 0.6, "confused": 0.2, "other": 0.2}
    assert (other.emotion, other.label, other.other_votes) == (None, "other", 0.8)
    assert (tied.emotion, tied.label, tied.votes) == (None, "no agreement", {"angry": 0.5, "sad": 0.5})


def test_nobody_named_one_of_the_eight(tmp_path: Path) -> None:
    clip = Clip("MSP-PODCAST_0001_0001", noise(0.3), votes=(Vote("Other-bored"), Vote("Other-tired")))
    (utterance,) = read(write_release(tmp_path, "1.12", [clip])).values()
    assert (utterance.label, utterance.votes, utterance.other_votes) == ("other", None, 1.0)


def test_speaking_rate_from_the_first_words_start_to_the_last_ones_end(copy: Path) -> None:
    utterance = read(copy)["MSP-PODCAST_0001_0001.wav"]
    assert utterance.words_per_second == pytest.approx(4 / (0.9 * 0.3))


def test_the_one_that_release_2_lists_and_does_not_hold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = Clip("MSP-PODCAST_1909_1017", noise(0.3), votes=votes(0))
    utterances = read(write_release(tmp_path, "2.0", [*clips(), missing]))
    assert missing.file not in utterances
    assert "MSP-PODCAST_1909_1017.wav (known to be missing from release 2.0)" in caplog.text


def test_a_missing_recording_costs_that_one(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    (copy / "Audios/MSP-PODCAST_0001_0001.wav").unlink()
    assert len(read(copy)) == 29
    assert "left out 1 labelled recordings that are not in" in caplog.text
    assert "known to be missing" not in caplog.text


def test_a_copy_without_audio_is_read_for_its_words(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(copy / "Audios")
    utterances = read(copy)
    assert Counter(u.audio for u in utterances.values()) == {None: 30}
    assert "read without recordings" in caplog.text


def test_a_bare_copy_has_labels_and_recordings_alone(copy: Path) -> None:
    full = read(copy)
    for name in ("Transcripts", "ForceAligned"):
        shutil.rmtree(copy / name)
    for name in ("Partition.txt", "Speaker_ids.txt", "Labels/labels_detailed.csv"):
        (copy / name).unlink()
    bare = read(copy)
    assert set(bare) == set(full)  # Test3 is known by its names
    for name, utterance in bare.items():
        assert (utterance.transcript, utterance.words_per_second, utterance.votes) == (None, None, None)
        assert (utterance.emotion, utterance.split, utterance.speaker) == (
            full[name].emotion, full[name].split, full[name].speaker,
        )  # fmt: skip


def test_speakers_splits_and_genders_from_the_lists_where_labels_lack_them(copy: Path) -> None:
    full = read(copy)
    path = copy / "Labels/labels_consensus.csv"
    rows = [",".join(line.split(",")[:5]) for line in path.read_text().splitlines()]
    path.write_text("\n".join(rows))
    assert read(copy) == full


def test_re_encoded_audio_is_found(copy: Path) -> None:
    path = copy / "Audios/MSP-PODCAST_0001_0001.wav"
    samples, rate = soundfile.read(path)
    soundfile.write(path.with_suffix(".flac"), samples, rate)
    path.unlink()
    assert read(copy)["MSP-PODCAST_0001_0001.wav"].audio == path.with_suffix(".flac")


def test_an_unlisted_recording_is_left_out_with_a_warning(
    copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(copy / "Audios/MSP-PODCAST_0001_0001.wav", copy / "Audios/holiday.wav")
    assert "holiday.wav" not in read(copy)
    assert "left out 1 recordings without labels" in caplog.text


def test_an_empty_transcript_is_none(copy: Path) -> None:
    (copy / "Transcripts/MSP-PODCAST_0001_0001.txt").write_text(" \n")
    assert read(copy)["MSP-PODCAST_0001_0001.wav"].transcript is None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("0001_0001.wav,A,", "0001_0001.wav,Q,", r"csv:2: found EmoClass 'Q'; expected one of A, S, .*O, X"),
        (",Train\n", ",Testing\n", r"Split_Set 'Testing'; expected one of train, development"),
        ("0001_0002.wav,", "0001_0001.wav,", r"MSP-PODCAST_0001_0001\.wav again, as in .*csv:2"),
        (",4.0,30,Male", ",4.0,30", "7 fields; expected 8 fields"),
        ("FileName,EmoClass", "FileName,Class", "expected also EmoClass"),
        ("0001_0001.wav,A,4.4", "0001_0001.wav,A,0.4", r"EmoAct = '0\.4'; expected a number from 1 to 7"),
        ("0001_0001.wav,A,4.4", "0001_0001.wav,A,nan", "EmoAct = 'nan'"),
    ],
)
def test_a_faulty_row_is_named(old: str, new: str, fault: str, tmp_path: Path) -> None:
    some = [replace(clip, speaker="30", gender="Male") for clip in clips()]
    copy = write_release(tmp_path, "challenge", some)
    path = copy / "Labels/labels_consensus.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(CorpusError, match=fault):
        read(copy)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            "FileName,Detail\na.wav,b\n",
            r"csv:2: found columns FileName, Detail; expected FileName with EmoDetail",
        ),
        (
            'FileName,EmoDetail\na.wav,"WORKER1"\n',
            r"csv:2: found 'WORKER1'; expected WORKER00000001; Neutral",
        ),
        ("FileName,WorkerID,EmoClass_Major,EmoAct\na.wav,W,Sad,high\n", r"csv:2: found EmoAct = 'high'"),
        ("FileName,WorkerID,EmoClass_Major,EmoAct\na.wav,W,,3\n", r"csv:2: found no EmoClass_Major"),
    ],
)
def test_faulty_votes_are_named(content: str, fault: str, copy: Path) -> None:
    (copy / "Labels/labels_detailed.csv").write_text(content)
    with pytest.raises(CorpusError, match=fault):
        read(copy)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("Labels/labels_consensus.json", '{"a.wav": {}, "a.wav": {}}', "a key twice"),
        ("Labels/labels_consensus.json", '{"a.wav": 1}', "expected an object of labels"),
        ("Labels/labels_consensus.json", "[1]", "expected a JSON object by recording"),
        ("Labels/labels_detailed.json", '{"a.wav": [1]}', "expected an object by rater"),
    ],
)
def test_faulty_json_is_named(name: str, content: str, fault: str, tmp_path: Path) -> None:
    copy = write_release(tmp_path, "1.12", clips(), as_json=True)
    (copy / name).write_text(content)
    with pytest.raises(CorpusError, match=fault):
        read(copy)


@pytest.mark.parametrize("name", ["Partition.txt", "Speaker_ids.txt"])
def test_a_faulty_list_is_named(name: str, copy: Path) -> None:
    (copy / name).write_text("one; two; three\n")
    with pytest.raises(CorpusError, match=rf"{name}:1: found 'one; two; three'; expected two fields"):
        read(copy)


def test_no_labels_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "Audios").mkdir()
    with pytest.raises(CorpusError, match=r"no consensus labels; expected .*Labels/labels_consensus\.csv"):
        read(tmp_path)


def test_each_raters_own_words(tmp_path: Path) -> None:
    copy = write_release(tmp_path, "1.12", clips(("Train",)))
    rows = [
        a for name, a in annotations(copy / "Labels/labels_detailed.csv") if name.endswith("0001_0001.wav")
    ]
    ratings = {"valence": 3.0, "arousal": 5.0, "dominance": 4.0}
    assert rows[0] == Annotation("WORKER00000000", "Angry", ("concerned", "disappointed"), ratings)
    assert rows[0].emotion == "angry"
    assert rows[3].secondary == ()  # left out in the file
    assert (rows[4].primary, rows[4].emotion, rows[4].ratings["valence"]) == ("Other-a: b", None, 5.0)


def test_semicolons_in_raters_own_words(tmp_path: Path) -> None:
    clip = Clip("MSP-PODCAST_0001_0001", noise(0.3), votes=(Vote("Other-A:1; b", ("Sad",), valence=2),))
    copy = write_release(tmp_path, "1.12", [clip])
    ((_, annotation),) = annotations(copy / "Labels/labels_detailed.csv")
    assert (annotation.emotion, annotation.ratings["valence"]) == (None, 2.0)


def test_shapes_of_the_votes_agree(tmp_path: Path) -> None:
    items = clips()
    counted = []
    for release, as_json in (("1.6", False), ("1.12", False), ("2.0", False), ("2.0", True)):
        copy = write_release(tmp_path / f"{release}{as_json}", release, items, as_json=as_json)
        (path,) = copy.glob("*/labels_detailed.*")
        counted.append({k: v for k, v in tally(path).items() if "test3" not in k})
    assert counted[0] == counted[1] == counted[2] == counted[3]


def test_plurality_as_the_release_has_it() -> None:
    for kind, letter in enumerate("ASHUFDCNOX"):
        counted = Tally()
        for vote in votes(kind):
            counted.add(Annotation("", vote.primary, (), {}))
        assert counted.plurality() == letter
        assert Clip("", noise(0.1), votes=votes(kind)).consensus == letter
    assert len(EMOTIONS) == 8


def test_a_damaged_alignment_is_named(copy: Path) -> None:
    path = copy / "ForceAligned/MSP-PODCAST_0001_0001.TextGrid"
    path.write_text(path.read_text()[:400])
    with pytest.raises(
        CorpusError, match=r"MSP-PODCAST_0001_0001\.TextGrid: found a TextGrid that ends early"
    ):
        read(copy)


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
