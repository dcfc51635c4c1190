"""Tables in files: what is read of each kind, and what is said of those that cannot be."""

import contextlib
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emojudge.corpora import table
from emojudge.errors import CorpusError, MissingExtraError


def write(folder: Path, content: str, name: str = "t.csv") -> Path:
    (folder / name).write_text(content, encoding="utf-8", newline="")
    return folder / name


def test_parquet_in_dictionary_columns_and_with_nothing_in_it(tmp_path: Path):
    arrow = pytest.importorskip("pyarrow", reason="needs the extra 'parquet'")
    from pyarrow import parquet

    labels = arrow.array(["joy", None, "sad"]).dictionary_encode()
    parquet.write_table(arrow.table({"text": ["a", "b", "c"], "emotion": labels}), tmp_path / "t.parquet")
    assert [u.emotion for u in table.load(tmp_path / "t.parquet")] == ["happy", None, "sad"]


def test_parquet_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "t.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"emojudge\[parquet\]"):
        table.load(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "Expecting property name"),
        ("[1]", "list"),
        ('{"text": ["a"]}', r"text = \['a'\]"),
        ('{"text": true}', "text = True"),
        ('{"text": "\\ud800"}', r"text = '\\ud800'"),
        ('{"text": "a", "valence": 1e999, "arousal": 1, "dominance": 1}', "valence = 'inf'"),
        ("[" * 100_000, "maximum recursion"),
    ],
)
def test_faulty_json_line_is_named(line: str, fault: str, tmp_path: Path):
    path = write(tmp_path, f'{{"text": "fine"}}\n\n{line}\n', "t.jsonl")
    with pytest.raises(CorpusError, match=rf"t\.jsonl:3: found {fault}"):
        table.load(path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "the header"),
        ("text\n", "no row"),
        ("a,a\n1,2\n", "distinct columns"),
        ("name,label\n1,2\n", "'file' or 'transcript' among them.*Map the table's own names"),
    ],
)
def test_faulty_table(content: str, fault: str, tmp_path: Path):
    with pytest.raises(CorpusError, match=fault):
        table.load(write(tmp_path, content))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["csv", "tsv", "jsonl", "parquet"]),
    content=st.one_of(
        st.binary(max_size=80),
        st.binary(max_size=40).map(lambda junk: b"PAR1" + junk + b"PAR1"),
        st.text(alphabet='text,emotion\t\n\r"{}[]:\x00\u2028é1.', max_size=80).map(str.encode),
        st.lists(st.text(max_size=9), max_size=5).map(lambda rows: "text\n".join(["", *rows]).encode()),
    ),
)
def test_anything_is_read_or_refused_in_words(kind: str, content: bytes, tmp_path: Path):
    path = tmp_path / f"t.{kind}"
    path.write_bytes(content)
    with contextlib.suppress(CorpusError):
        assert table.load(path)
