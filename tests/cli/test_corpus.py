"""`emojudge corpus check|stats|split`."""

import csv
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emojudge.corpora import load_corpus
from tests.corpora.msp_layout import clips, write_release

Run = Callable[..., Any]
LOST = "MSP-PODCAST_0001_0001.wav"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return write_release(tmp_path / "copy", "challenge", clips(each=40))


def test_check_of_a_copy_that_is_well(run: Run, copy: Path) -> None:
    result = run("corpus", "check", copy)
    assert result.exit_code == 0
    assert {row["level"] for row in json.loads(result.stdout)} == {"note"}
    assert "no fault found; --deep decodes" in result.stderr
    assert "no fault found\n" in run("corpus", "check", copy, "--deep").stderr


@pytest.mark.parametrize("layout", ["table", "json", "csv"])
def test_check_names_faults_and_exits_with_1(layout: str, run: Run, copy: Path) -> None:
    (copy / "Audios" / LOST).unlink()
    shutil.rmtree(copy / "Transcripts")
    result = run("corpus", "check", copy, "--format", layout)
    assert result.exit_code == 1
    assert "2 kinds of fault, 2 in all" in result.stderr
    if layout == "table":
        assert "fault: missing audio: 1; expected a recording for every label\n    " + LOST in result.stdout
        assert "and 37 more; --format csv lists them" in result.stdout
    elif layout == "json":
        by_kind = {row["kind"]: row for row in json.loads(result.stdout)}
        assert by_kind["missing audio"]["items"] == [LOST]
        assert by_kind["missing part"]["items"] == ["Transcripts"]
    else:
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert {"level": "fault", "kind": "missing audio", "item": LOST} in rows
        assert Counter(row["kind"] for row in rows)["hidden labels"] == 40


def test_what_is_no_copy_is_usage(run: Run, tmp_path: Path) -> None:
    for arguments in ((tmp_path / "nowhere",), (tmp_path,), (tmp_path, "--corpus", "msp-podcasts")):
        result = run("corpus", "check", *arguments)
        assert result.exit_code == 2
        assert "expected" in result.stderr


def test_stats_in_every_format(run: Run, copy: Path) -> None:
    figures = json.loads(run("corpus", "stats", copy).stdout)
    assert figures["train"]["happy"] == 4
    assert figures["train"]["total"] == 32
    assert figures["test3"]["no label"] == 40
    rows = list(csv.DictReader(io.StringIO(run("corpus", "stats", copy, "-f", "csv").stdout)))
    assert {"split": "dev", "class": "no agreement", "count": "4"} in rows
    table = run("corpus", "stats", copy, "-f", "table").stdout
    assert "fear" in table
    assert "4   12.50 %" in table


def test_a_table_with_columns_of_other_names(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("words,EmoClass,who,Split_Set\nhm,A,anna,train\noh,X,anna,dev\n")
    columns = ("transcript=words", "emotion=EmoClass", "speaker=who", "split=Split_Set")
    mapped = [part for column in columns for part in ("--column", column)]
    result = run("corpus", "stats", path, "--corpus", "table", *mapped)
    assert json.loads(result.stdout)["train"]["angry"] == 1
    assert "1 rows kept without an emotion: 'X' (1)" in result.stderr
    result = run("corpus", "check", path, "--corpus", "table", *mapped)
    assert json.loads(result.stdout)[0]["kind"] == "speaker in several splits"
    result = run("corpus", "stats", path, "--corpus", "table", "--column", "words")
    assert (result.exit_code, "expected OURS=THEIRS" in result.stderr) == (2, True)


def test_what_a_reader_warns_of_is_said(run: Run, copy: Path) -> None:
    (copy / "Audios" / LOST).unlink()
    result = run("corpus", "stats", copy)
    assert result.exit_code == 0
    assert f"left out 1 labelled recordings that are not in {copy / 'Audios'}: {LOST}" in result.stderr


def test_split_holds_dev_2_out_and_a_table_reads_it(run: Run, copy: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "splits" / "manifest.csv"
    result = run("corpus", "split", copy, "--output", manifest)
    assert result.exit_code == 0
    assert "dev2: 16 utterances" in result.stderr
    utterances = load_corpus("table", manifest)
    assert Counter(u.split for u in utterances) == {"train": 40, "dev": 24, "dev2": 16, "test3": 40}
    assert all(u.audio and u.audio.is_file() for u in utterances)
    figures = json.loads(run("corpus", "stats", manifest, "--corpus", "table").stdout)
    assert figures["dev2"]["fear"] == figures["dev"]["fear"] == 2
    again = manifest.read_bytes()
    assert run("corpus", "split", copy, "-o", manifest, "--seed", 7).exit_code == 0
    assert manifest.read_bytes() == again
    run("corpus", "split", copy, "-o", manifest, "--seed", 8)
    assert manifest.read_bytes() != again


def test_split_by_size_from_another_split_or_into_folds(run: Run, copy: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    run("corpus", "split", copy, "-o", manifest, "--from", "train", "--per-class", 1)
    assert Counter(u.split for u in load_corpus("table", manifest))["dev2"] == 8
    run("corpus", "split", copy, "-o", manifest, "--folds", 3)
    utterances = load_corpus("table", manifest)
    assert {u.split for u in utterances} == {"fold1", "fold2", "fold3", "no_speaker"}
    homes = {(u.speaker, u.split) for u in utterances if u.speaker}
    assert len({speaker for speaker, _ in homes}) == len(homes)


def test_split_without_recordings_leaves_out_what_has_no_words(run: Run, copy: Path, tmp_path: Path) -> None:
    shutil.rmtree(copy / "Audios")
    result = run("corpus", "split", copy, "-o", tmp_path / "manifest.csv")
    assert "left out 40 utterances with neither recording nor transcript" in result.stderr
    assert len(load_corpus("table", tmp_path / "manifest.csv")) == 80


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("-o", "manifest.parquet"), "a name that ends in .csv"),
        (("-o", "m.csv", "--from", "Development"), "expected 'Development'"),
        (("-o", "m.csv", "--per-class", "9"), "enough of each emotion to take 9"),
        (("-o", "m.csv", "--folds", "99"), "expected 2 to 6, the number of speakers"),
    ],
)
def test_a_split_that_cannot_be(arguments: tuple[str, ...], fault: str, run: Run, copy: Path) -> None:
    result = run("corpus", "split", copy, *arguments)
    assert result.exit_code == 2
    assert fault in result.stderr
