"""Speaking rate from TextGrids, long and short, and from what is none."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emojudge.corpora.alignment import words_per_second
from emojudge.errors import CorpusError

SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
2.5
<exists>
3
"TextTier"
"clicks"
0
2.5
1
0.7
"a ""click"" 9 9"
"IntervalTier"
"phones"
0
2.5
1
0
2.5
"sil"
"IntervalTier"
"anna - words"
0
2.5
4
0
0.5
""
0.5
1
"5"
1
1.5
"sp"
1.5
2.5
"o""clock"
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_two_words_in_two_seconds(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(SHORT, encoding=encoding)
    assert words_per_second(path) == 1.0  # "5" and o'clock, from 0.5 s to 2.5 s


def test_the_first_tier_of_intervals_where_none_is_called_words(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(SHORT.replace("anna - words", "transcript").replace('"sil"', '"one"'))
    assert words_per_second(path) == 1 / 2.5


def test_silence_has_no_rate(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(SHORT.replace('"5"', '"<eps>"').replace('"o""clock"', '"sil"'))
    assert words_per_second(path) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "another kind of file"),
        ("Dear Sir", "another kind of file"),
        (SHORT[:-60], "ends early or is damaged"),
        (SHORT.replace("\n1.5\n2.5\n", "\n1.5\n0.5\n"), "2 words in 0 s"),
        (
            SHORT[: SHORT.index('"IntervalTier"')].replace("<exists>\n3", "<exists>\n1"),
            "no tier of intervals",
        ),
    ],
)
def test_what_is_no_textgrid_is_named(text: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_text(text)
    with pytest.raises(CorpusError, match=fault):
        words_per_second(path)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(SHORT)), junk=st.binary(max_size=20))
def test_anything_is_read_or_refused_in_words(cut: int, junk: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    path.write_bytes(SHORT.encode()[:cut] + junk + SHORT.encode()[cut:])
    with contextlib.suppress(CorpusError):
        words_per_second(path)
