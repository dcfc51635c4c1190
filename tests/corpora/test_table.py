"""Any CSV, TSV or JSONL file as a corpus."""

import json
from pathlib import Path

import pytest

from emojudge.corpora import table
from emojudge.errors import CorpusError

MANIFEST = """file,speaker,sex,emotion,original_label,language,transcript,extra,seconds
audio/03/a.flac,emodb:03,m,happy,happiness,de,"Heute, sagt er.",x=1,1.898
audio/08/b.flac,emodb:08,f,,boredom,de,,,1.2
"""


@pytest.fixture
def manifest(place) -> Path:
    folder = place("audio/03/a.flac", "audio/08/b.flac")
    (folder / "manifest.csv").write_text(MANIFEST, encoding="utf-8")
    return folder / "manifest.csv"


def write(folder: Path, content: str, name: str = "t.csv") -> Path:
    (folder / name).write_text(content, encoding="utf-8", newline="")
    return folder / name


def write_parquet(path: Path, rows: list[dict[str, object]]) -> Path:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
    from pyarrow import parquet

    parquet.write_table(arrow.Table.from_pylist(rows), path)
    return path


def test_parquet_names_the_row_that_is_at_fault(tmp_path: Path):
    path = write_parquet(tmp_path / "t.parquet", [{"text": "fine", "sex": "f"}, {"text": "hm", "sex": "q"}])
    with pytest.raises(CorpusError, match=r"t\.parquet:2: found the gender 'q'"):
        table.load(path)


def test_votes_as_numbers_or_shares(tmp_path: Path):
    content = (
        "text,vote_angry,vote_sad,other_votes,label,words_per_second\na,3,1,0.2,no agreement,2.5\nb,,,,,\n"
    )
    first, second = table.load(write(tmp_path, content))
    assert (first.votes, first.other_votes) == ({"angry": 0.75, "sad": 0.25}, 0.2)
    assert (first.label, first.words_per_second) == ("no agreement", 2.5)
    assert (second.votes, second.other_votes, second.label, second.words_per_second) == (None,) * 4


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("vote_sad", "-1", "a number from 0 to inf"),
        ("vote_sad", "inf", "a number from 0 to inf"),
        ("other_votes", "2", "a number from 0 to 1"),
        ("words_per_second", "fast", "a number from"),
    ],
)
def test_faulty_numbers(column: str, value: str, fault: str, tmp_path: Path):
    with pytest.raises(CorpusError, match=rf"t\.csv:2: found {column} = '{value}'; expected {fault}"):
        table.load(write(tmp_path, f"text,{column}\na,{value}\n"))


def test_manifest(manifest: Path):
    first, second = table.load(manifest)
    assert (first.id, first.audio) == ("audio/03/a.flac", manifest.parent / "audio/03/a.flac")
    assert (first.speaker, first.gender, first.emotion, first.language) == ("emodb:03", "male", "happy", "de")
    assert first.transcript is not None
    assert (first.transcript.text, first.transcript.language) == ("Heute, sagt er.", "de")
    assert (second.gender, second.emotion, second.transcript) == ("female", None, None)


def test_a_folder_stands_for_its_table(manifest: Path):
    assert table.load(manifest.parent) == table.load(manifest)
    write(manifest.parent, "text\na\n", "other.csv")
    assert table.load(manifest.parent) == table.load(manifest)
    manifest.unlink()
    assert len(table.load(manifest.parent)) == 1
    write(manifest.parent, "text\na\n", "another.tsv")
    with pytest.raises(CorpusError, match=r"2 tables: another\.tsv, other\.csv.*Name the file itself"):
        table.load(manifest.parent)


COLUMNS = "id,speaker,gender,emotion,valence,arousal,dominance,text,language,split"
VALUES = "u1,s1,Female,U,1,4.5,7,Oh!,en,dev"


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_column_in_every_format(kind: str, tmp_path: Path):
    lines = [COLUMNS, VALUES]
    if kind == "jsonl":
        row = dict(zip(COLUMNS.split(","), VALUES.split(","), strict=True))
        lines = [json.dumps(row | {"valence": 1, "arousal": 4.5, "dominance": 7, "ignored": [1]}), ""]
    separator = "\t" if kind == "tsv" else ","
    content = "\ufeff" + "\r\n".join(lines if kind == "jsonl" else [x.replace(",", separator) for x in lines])
    path = write(tmp_path, content, f"t.{kind}")
    if kind == "parquet":
        row = dict(zip(COLUMNS.split(","), VALUES.split(","), strict=True))
        numbers = {"valence": 1, "arousal": 4.5, "dominance": 7.0}
        write_parquet(path, [row | numbers | {"audio": {"bytes": b"RIFF", "path": "a.wav"}, "raw": b"RIFF"}])
    (utterance,) = table.load(path)
    assert utterance.model_dump(exclude_none=True) == {
        "id": "u1",
        "speaker": "s1",
        "gender": "female",
        "emotion": "surprise",
        "attributes": {"valence": 1.0, "arousal": 4.5, "dominance": 7.0},
        "transcript": {"text": "Oh!", "source": f"t.{kind}", "language": "en", "segments": ()},
        "language": "en",
        "split": "dev",
    }


def test_columns_by_other_names(place):
    folder = place("wav/1.wav")
    path = write(folder, "EmoClass,Split_Set,PATH,text\nA,Test1,wav/1.wav,hm\n")
    mapping = {"emotion": "EmoClass", "split": "Split_Set", "file": "PATH"}
    (utterance,) = table.load(path, mapping)
    assert (utterance.emotion, utterance.split, utterance.audio) == ("angry", "Test1", folder / "wav/1.wav")
    assert utterance.transcript is not None


def test_default_names_in_any_case(tmp_path: Path):
    (utterance,) = table.load(write(tmp_path, "Text, Emotion \nhm,sad\n"))
    assert utterance.emotion == "sad"


def test_mapped_name_goes_before_the_default(tmp_path: Path):
    (utterance,) = table.load(write(tmp_path, "text,emotion,voted\nhm,sad,joy\n"), {"emotion": "voted"})
    assert utterance.emotion == "happy"


def test_faulty_mappings(manifest: Path):
    with pytest.raises(CorpusError, match=r"a mapping for 'emotions'.*Did you mean 'emotion'"):
        table.load(manifest, {"emotions": "emotion"})
    with pytest.raises(CorpusError, match=r"columns file, speaker, sex.*expected 'EmoClass' among them"):
        table.load(manifest, {"emotion": "EmoClass"})


def test_ids_by_line_where_there_is_neither_id_nor_file(tmp_path: Path):
    assert [u.id for u in table.load(write(tmp_path, 'text\n"a\nb"\nc\n'))] == ["t:3", "t:4"]


def test_unknown_labels_are_kept_and_counted(tmp_path: Path, caplog):
    content = "text,emotion\na,boredom\nb,sad\nc,\nd,boredom\ne,awe\n"
    read = table.load(write(tmp_path, content))
    assert [u.emotion for u in read] == [None, "sad", None, None, None]
    assert [u.label for u in read] == ["boredom", None, None, "boredom", "awe"]
    assert "3 rows kept without an emotion: 'boredom' (2), 'awe' (1)" in caplog.text


def test_only_unknown_labels_is_an_error_that_lists_them(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"'0' \(2\), '1' \(1\); expected some of angry"):
        table.load(write(tmp_path, "text,emotion\na,0\nb,0\nc,1\nd,\n"))


def test_no_labels_at_all_are_fine(tmp_path: Path):
    assert [u.emotion for u in table.load(write(tmp_path, "text,emotion\na,\nb,\n"))] == [None, None]


def test_incomplete_attribute_columns_are_passed_over_with_a_warning(tmp_path: Path, caplog):
    (utterance,) = table.load(write(tmp_path, "text,valence,arousal\na,3,3\n"))
    assert utterance.attributes is None
    assert "has only valence and arousal" in caplog.text


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("nowhere.wav,,,,,,,", "no file 'nowhere.wav'"),
        (",,,,,,,", "neither file nor transcript"),
        (",hm,q,,,,,", "the gender 'q'; expected female or male"),
        (",hm,,,0.5,4,4,", r"valence = '0\.5'; expected .* 1 to 7\. Rescale"),
        (",hm,,,4,4,,", "dominance = ''"),
        (",hm,,,4,nan,4,", "arousal = 'nan'"),
        (",hm,,,4,high,4,", "arousal = 'high'"),
        (",hm,,,,,,first", "the id 'first', which line 2 has too"),
        (",hm,,,", "5 fields; expected 8 fields"),
        (',"hm', "unexpected end of data"),
    ],
)
def test_faulty_row_is_named(row: str, fault: str, tmp_path: Path):
    header = "file,text,gender,emotion,valence,arousal,dominance,id"
    path = write(tmp_path, f"{header}\n,fine,f,sad,1,2,3,first\n{row}\n")
    with pytest.raises(CorpusError, match=rf"t\.csv:3: found {fault}"):
        table.load(path)


def test_what_is_not_a_table(tmp_path: Path):
    for name, found in (("t.xlsx", r"a \.xlsx file"), ("nowhere.csv", "no such file")):
        (tmp_path / "t.xlsx").touch()
        with pytest.raises(CorpusError, match=rf"{found}.*\.csv, \.tsv, \.jsonl, \.parquet"):
            table.load(tmp_path / name)
