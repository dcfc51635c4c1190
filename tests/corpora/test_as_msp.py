"""`python -m benchmarks as_msp`: any corpora with a manifest, in the layout of MSP-Podcast."""

import argparse
import csv
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from benchmarks import as_msp
from emojudge.corpora import load_corpus
from emojudge.corpora.check import check
from emojudge.emotions import EMOTIONS
from tests.corpora.msp_layout import noise


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    """Two corpora of eight speakers, each with every emotion and boredom once; one of them without words."""
    for name in ("actors", "burst"):
        (tmp_path / name).mkdir()
        rows = ["file,speaker,sex,emotion,transcript"]
        for number in range(72):
            speaker, emotion = number % 8, (*EMOTIONS, "")[number // 8]
            path = tmp_path / name / f"{number}.flac"
            soundfile.write(path, noise(0.3, seed=number + len(name) * 1000), 22_050)
            words = "I said so" if name == "actors" else ""
            rows.append(f"{path.name},{name}{speaker},{'fm'[speaker % 2]},{emotion},{words}")
        (tmp_path / name / "manifest.csv").write_text("\n".join(rows))
    lines = tmp_path / "goemotions" / "original"
    lines.mkdir(parents=True)
    (lines / "labels.txt").write_text("anger\nneutral\n")
    for split in ("train", "dev", "test"):
        (lines / f"{split}.tsv").write_text(f"furious {split}\t0\ta{split}\nplain {split}\t1\tb{split}\n")
    return tmp_path


def run(corpora: Path, **options: object) -> Path:
    defaults = {"corpora": corpora, "output": corpora / "out" / "msp", "release": "challenge", "names": None}
    as_msp.run(argparse.Namespace(**defaults | {"most": None} | options))
    return corpora / "out" / "msp"


def test_real_recordings_become_a_copy_that_is_well(corpora: Path) -> None:
    copy = run(corpora)
    assert [f for f in check("msp_podcast", copy, deep=True) if f.level == "fault"] == []
    utterances = load_corpus("msp_podcast", copy)
    counts = Counter(u.split for u in utterances)
    assert set(counts) == {"train", "dev", "test3"}
    train = [u for u in utterances if u.split == "train"]
    assert set(Counter(u.emotion for u in train if u.emotion)) == set(EMOTIONS)
    assert {u.label for u in train} <= {None, "other", "no agreement"}
    assert all(u.votes and u.attributes and u.transcript and u.words_per_second for u in train)
    words = {u.transcript.text for u in train if u.emotion == "angry" and u.transcript}
    assert words == {"I said so", "furious train"}
    homes = {(u.speaker, u.split) for u in utterances if u.speaker}
    assert len({speaker for speaker, _ in homes}) == len(homes)
    assert {soundfile.info(str(u.audio)).samplerate for u in utterances} == {16_000}


def test_test3_is_even_and_its_labels_are_kept_apart(corpora: Path) -> None:
    copy = run(corpora, most=1)
    with (copy.parent / "msp_test3_labels.csv").open(newline="") as file:
        labels = {row["FileName"]: row["EmoClass"] for row in csv.DictReader(file)}
    assert Counter(labels.values()) == dict.fromkeys("ASHUFDCN", 1)
    hidden = [u for u in load_corpus("msp_podcast", copy) if u.split == "test3"]
    assert {u.id for u in hidden} == set(labels)
    assert {(u.emotion, u.speaker, u.transcript) for u in hidden} == {(None, None, None)}


def test_the_same_again(corpora: Path) -> None:
    labels = [(run(corpora, names=["actors"]) / "Labels/labels_detailed.csv").read_text() for _ in range(2)]
    assert labels[0] == labels[1]


@pytest.mark.parametrize("options", [{"output": None}, {"release": "3.0"}])
def test_usage(options: dict[str, object], corpora: Path) -> None:
    with pytest.raises(SystemExit):
        run(corpora, **options)
