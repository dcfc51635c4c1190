"""`check` finds a dozen planted faults and more in a copy, and nothing in a copy that is well."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from emojudge.corpora.check import check
from emojudge.corpora.findings import KINDS
from emojudge.errors import CorpusError
from tests.corpora.msp_layout import RELEASES, Clip, Vote, clips, noise, votes, write_release

A, B = "MSP-PODCAST_0001_0001", "MSP-PODCAST_0001_0002"  # of Train; A is angry, B sad
CONSENSUS, DETAILED = "Labels/labels_consensus.csv", "Labels/labels_detailed.csv"


def found(folder: Path, *, deep: bool = False, name: str = "msp_podcast") -> dict[str, tuple[str, ...]]:
    return {finding.kind: finding.items for finding in check(name, folder, deep=deep)}


def faults(folder: Path, **options: bool) -> dict[str, tuple[str, ...]]:
    return {kind: items for kind, items in found(folder, **options).items() if KINDS[kind][0] == "fault"}


def set_cell(folder: Path, name: str, column: str, value: str) -> None:
    with (folder / CONSENSUS).open(newline="") as file:
        rows = list(csv.DictReader(file))
    next(row for row in rows if row["FileName"] == f"{name}.wav")[column] = value
    with (folder / CONSENSUS).open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-6000])


def repeat_a_row(folder: Path) -> None:
    text = (folder / CONSENSUS).read_text()
    (folder / CONSENSUS).write_text(text + next(line for line in text.splitlines() if A in line) + "\n")


PLANTS: dict[str, Callable[[Path], object]] = {  # each does what its key says, and no other kind comes of it
    "missing audio": lambda folder: (folder / f"Audios/{A}.wav").unlink(),
    "audio without a label": lambda folder: shutil.copy(
        folder / f"Audios/{A}.wav", folder / "Audios/party.wav"
    ),
    "empty audio": lambda folder: (folder / f"Audios/{A}.wav").write_bytes(b""),
    "undecodable audio": lambda folder: (folder / f"Audios/{A}.wav").write_text("version https://git-lfs"),
    "damaged audio": lambda folder: cut(folder / f"Audios/{A}.wav"),
    "other sample rate": lambda folder: soundfile.write(folder / f"Audios/{A}.wav", noise(0.3, 1), 8000),
    "several channels": lambda folder: soundfile.write(
        folder / f"Audios/{A}.wav", np.stack([noise(0.3, 2)] * 2, axis=1), 16_000
    ),
    "duplicate id": repeat_a_row,
    "speaker in several splits": lambda folder: set_cell(folder, A, "SpkrID", "10"),  # of Development
    "attribute out of range": lambda folder: set_cell(folder, A, "EmoVal", "0.5"),
    "unknown label": lambda folder: set_cell(folder, A, "EmoClass", "Q"),
    "unknown split": lambda folder: edit(folder / CONSENSUS, ",0,Female,Train", ",0,Female,Training"),
    "label against votes": lambda folder: set_cell(folder, A, "EmoClass", "S"),
    "label without votes": lambda folder: edit(folder / DETAILED, f"{A}.wav", f"{B}.wav"),
    "missing transcript": lambda folder: (folder / f"Transcripts/{A}.txt").unlink(),
    "empty transcript": lambda folder: (folder / f"Transcripts/{A}.txt").write_text(" \n"),
    "transcript not UTF-8": lambda folder: (folder / f"Transcripts/{A}.txt").write_bytes(b"caf\xe9"),
    "missing part": lambda folder: (folder / "Partition.txt").unlink(),
    "missing from partitions": lambda folder: edit(folder / "Partition.txt", f"Train; {A}.wav\n", ""),
    "split against partitions": lambda folder: edit(
        folder / "Partition.txt", f"Train; {A}", f"Development; {A}"
    ),
    "missing label": lambda folder: edit(folder / CONSENSUS, f"\n{A}.wav,A,4.4,3.6,4.0,0,Female,Train", ""),
    "unreadable": lambda folder: (folder / DETAILED).write_text("FileName,EmoDetail\na.wav,hm\n"),
}
NAMED = {
    "audio without a label": "party.wav",
    "speaker in several splits": "10: Development, Train",
    "missing part": "Partitions.txt",
    "unreadable": DETAILED,
}
FOLLOWS = {  # what cannot but be found beside it
    "unknown split": {"split against partitions", "speaker in several splits"},
    "missing label": {"votes without a label"},
    "label without votes": {"label against votes"},  # they are B's now
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return write_release(tmp_path / "copy", "challenge", clips())


@pytest.mark.parametrize("kind", PLANTS)
def test_a_planted_fault_is_found_and_named(kind: str, copy: Path) -> None:
    PLANTS[kind](copy)
    seen = faults(copy)
    assert kind in seen
    assert set(seen) <= {kind} | FOLLOWS.get(kind, set())
    assert any(NAMED.get(kind, A) in item for item in seen[kind])


def test_twelve_faults_at_once_are_twelve_findings(copy: Path) -> None:
    """One copy with a dozen faults in a dozen recordings: each is told, none hides another."""
    audio, texts = copy / "Audios", copy / "Transcripts"
    names = [f"MSP-PODCAST_0001_{number:04d}" for number in range(1, 9)]
    (audio / f"{names[0]}.wav").unlink()
    shutil.copy(audio / f"{names[1]}.wav", audio / "party.wav")
    (audio / f"{names[1]}.wav").write_bytes(b"")
    (audio / f"{names[2]}.wav").write_text("Dear Sir,")
    cut(audio / f"{names[3]}.wav")
    soundfile.write(audio / f"{names[4]}.wav", noise(0.3, 9), 44_100)
    set_cell(copy, names[5], "EmoClass", "Q")
    set_cell(copy, names[6], "EmoAct", "7.5")
    set_cell(copy, names[7], "EmoClass", "A")
    (texts / f"{names[0]}.txt").write_bytes(b"\xff\xff\xff")
    (texts / f"{names[1]}.txt").unlink()
    (copy / "Partition.txt").unlink()
    assert {kind: len(items) for kind, items in faults(copy).items()} == {
        "missing audio": 1,
        "audio without a label": 1,
        "empty audio": 1,
        "undecodable audio": 1,
        "damaged audio": 1,
        "other sample rate": 1,
        "unknown label": 1,
        "attribute out of range": 1,
        "label against votes": 1,
        "transcript not UTF-8": 1,
        "missing transcript": 1,
        "missing part": 1,
    }


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("release", RELEASES)
def test_nothing_is_wrong_with_a_release(release: str, deep: bool, tmp_path: Path) -> None:
    assert faults(write_release(tmp_path, release, clips()), deep=deep) == {}


def test_how_a_release_is_is_noted(tmp_path: Path) -> None:
    missing = Clip("MSP-PODCAST_1909_1017", noise(0.3), votes=votes(0), speaker="7")
    seen = found(write_release(tmp_path, "2.0", [*clips(), missing]))
    assert {kind: len(items) for kind, items in seen.items()} == {
        "known to be missing": 1,
        "hidden labels": 10,
        "unknown speaker": 3,
    }


def test_silence_inner_damage_twins_and_alignments_are_found_when_decoded(copy: Path) -> None:
    soundfile.write(copy / f"Audios/{A}.wav", np.zeros(8000), 16_000)
    shutil.copy(copy / f"Audios/{B}.wav", copy / "Audios/MSP-PODCAST_0002_0001.wav")
    path = copy / "Audios/MSP-PODCAST_0001_0003.wav"
    samples, rate = soundfile.read(path)
    path.unlink()
    soundfile.write(path.with_suffix(".flac"), np.tile(samples, 9), rate)
    cut(path.with_suffix(".flac"))
    edit(copy / f"ForceAligned/{A}.TextGrid", "intervals: size = 5", "intervals: size = five")
    edit(copy / f"ForceAligned/{B}.TextGrid", "TextGrid", "Text")
    assert faults(copy) == {}
    seen = faults(copy, deep=True)
    assert set(seen) == {"silent audio", "damaged audio", "same sound twice", "damaged alignment"}
    assert seen["same sound twice"] == (f"MSP-PODCAST_0002_0001.wav: as {B}.wav",)


def test_a_damaged_consensus_is_told_with_what_was_read_of_it(copy: Path) -> None:
    edit(copy / CONSENSUS, f"{B}.wav,S,", f"{B}.wav,")
    assert "8 fields" in faults(copy)["unreadable"][0]


@pytest.mark.parametrize(
    ("letter", "raters", "doubted"),
    [
        ("A", "AASS", False),  # a tie may have been decided by raters that were left out
        ("X", "AASH", False),
        ("X", "AAAS", True),
        ("S", "AASH", True),
        ("H", "AAS", True),
        ("O", "OOS", False),
        ("A", "OOA", True),
    ],
)
def test_what_votes_a_label_contradicts(letter: str, raters: str, doubted: bool, tmp_path: Path) -> None:
    named = {"A": "Angry", "S": "Sad", "H": "Happy", "O": "Other-x"}
    clip = Clip(A, noise(0.3), speaker="1", votes=tuple(Vote(named[rater]) for rater in raters))
    copy = write_release(tmp_path, "1.12", [clip])
    set_cell(copy, A, "EmoClass", letter)
    assert ("label against votes" in faults(copy)) == doubted


def test_json_labels_are_checked_too(tmp_path: Path) -> None:
    copy = write_release(tmp_path, "1.12", clips(), as_json=True)
    path = copy / "Labels/labels_consensus.json"
    labels = json.loads(path.read_text())
    labels[f"{A}.wav"]["EmoClass"] = "Q"
    path.write_text(json.dumps(labels))
    assert faults(copy) == {"unknown label": (f"{A}.wav: 'Q'",)}


def test_any_other_corpus_is_checked_as_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "wav").mkdir()
    for name, rate in (("03a01Fa", 16_000), ("08a01Na", 16_000), ("08a01Wa", 22_050), ("09a01La", 16_000)):
        soundfile.write(tmp_path / f"wav/{name}.wav", noise(0.3), rate)
    (tmp_path / "wav/10a01Fa.wav").touch()
    assert found(tmp_path, name="emodb") == {
        "empty audio": ("emodb:10a01Fa",),
        "other sample rate": ("emodb:08a01Wa: 22050 Hz",),
        "no emotion": ("emodb:09a01La",),
    }
    (tmp_path / "wav/strange.wav").touch()
    assert "strange.wav" in found(tmp_path, name="emodb")["unreadable"][0]


def test_a_table_names_all_recordings_that_are_missing(tmp_path: Path) -> None:
    rows = ["file,text,speaker,emotion,split", "a.wav,hm,anna,sad,train", "b.wav,hm,anna,sad,dev"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    assert found(tmp_path / "t.csv", name="table") == {
        "missing audio": ("a.wav", "b.wav"),
        "speaker in several splits": ("anna: dev, train",),
    }


def test_a_table_names_all_rows_that_cannot_be_used(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("id,text,emotion,gender\none,hm,sad,robot\ntwo,hm,sad,\ntwo,hm,sad,\n")
    rows = found(table, name="table")["unusable row"]
    assert len(rows) == 2
    assert rows[0].startswith(f"{table}:2: ")
    assert rows[1].startswith(f"{table}:4: ")


def test_speakers_that_a_corpus_shares_by_its_nature_are_noted(tmp_path: Path) -> None:
    row = "Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID\nhm,Anna,joy,0,0\n"
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}_sent_emo.csv").write_text(row)
    assert found(tmp_path, name="meld") == {"shared speaker": ("meld:Anna: dev, test, train",)}


def test_what_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such folder"):
        check("msp_podcast", tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="no consensus labels"):
        check("msp_podcast", tmp_path)
    with pytest.raises(CorpusError, match="corpus: found 'msp-podcasts'"):
        check("msp-podcasts", tmp_path)


def test_progress_counts_every_recording(copy: Path) -> None:
    seen: list[tuple[int, int]] = []
    check("msp_podcast", copy, progress=lambda done, total, what: seen.append((done, total)))
    assert seen == [(done, 30) for done in range(1, 31)]
