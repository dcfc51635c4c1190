"""Who speaks when: RTTM, TextGrid, subtitles; and files that are none of them."""

from pathlib import Path

import pytest

from emojudge.audio.turns import read_turns, turns_for
from emojudge.errors import TranscriptError

RTTM = (
    ";; a remark\n"
    "SPKR-INFO call 1 <NA> <NA> <NA> unknown anna <NA> <NA>\n"
    "SPEAKER call 1 0.50 1.25 <NA> <NA> anna <NA> <NA>\n"
    "SPEAKER call 1 2.00 3.00 <NA> <NA> <NA> <NA> <NA>\n"
)
GRID = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 6
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "{first}"
        xmin = 0
        xmax = 6
        intervals: size = 3
        intervals [1]:
            xmin = 0.5
            xmax = 1.0
            text = "Good"
        intervals [2]:
            xmin = 1.0
            xmax = 1.5
            text = "morning"
        intervals [3]:
            xmin = 4
            xmax = 5
            text = "Ann"
    item [2]:
        class = "IntervalTier"
        name = "{second}"
        xmin = 0
        xmax = 6
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 2
            text = ""
        intervals [2]:
            xmin = 2
            xmax = 3
            text = "Hello ""you"""
'''


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_rttm(tmp_path: Path) -> None:
    found = read_turns(written(tmp_path, "call.rttm", RTTM))
    assert [(t.start, t.end, t.speaker, t.text) for t in found.segments] == [
        (0.5, 1.75, "anna", ""),
        (2.0, 5.0, None, ""),
    ]
    assert found.source == "file:call.rttm"


def test_rttm_of_several_recordings_gives_those_of_its_name(tmp_path: Path) -> None:
    both = RTTM + "SPEAKER other 1 9.0 1.0 <NA> <NA> ben <NA> <NA>\n"
    assert len(read_turns(written(tmp_path, "other.rttm", both)).segments) == 1
    with pytest.raises(TranscriptError, match=r"turns of 2 recordings \(call, other\)"):
        read_turns(written(tmp_path, "all.rttm", both))


DAMAGED = (
    "SPEAKER call 1 0.5",
    "SPEAKER a 1 x 1 - - b",
    "SPEAKER a 1 nan 1 - - b",
    "SPEAKER a 1 1 -2 - - b",
)


@pytest.mark.parametrize("line", DAMAGED)
def test_damaged_rttm_names_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(TranscriptError, match=r"call\.rttm, line 5"):
        read_turns(written(tmp_path, "call.rttm", RTTM + line))


def test_a_textgrids_tiers_are_speakers(tmp_path: Path) -> None:
    grid = written(tmp_path, "call.TextGrid", GRID.format(first="anna", second="ben"))
    assert [(t.start, t.speaker, t.text) for t in read_turns(grid).segments] == [
        (0.5, "anna", "Good"),
        (1.0, "anna", "morning"),
        (2.0, "ben", 'Hello "you"'),
        (4.0, "anna", "Ann"),
    ]


def test_an_aligners_words_are_put_together(tmp_path: Path) -> None:
    grid = written(tmp_path, "call.TextGrid", GRID.format(first="anna - words", second="anna - phones"))
    assert [(t.start, t.end, t.speaker, t.text) for t in read_turns(grid).segments] == [
        (0.5, 1.5, "anna", "Good morning"),
        (4.0, 5.0, "anna", "Ann"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("call.rttm", "", "no turn"),
        ("call.txt", "Hello.", "text without times"),
        ("call.srt", "", "no turn"),
        ("call.TextGrid", "", "another kind of file"),
        ("call.TextGrid", GRID.format(first="a", second="b")[:300], "ends early"),
        ("call.doc", "", "the suffix"),
    ],
)
def test_what_has_no_turns_is_refused(tmp_path: Path, name: str, text: str, found: str) -> None:
    with pytest.raises(TranscriptError, match=found):
        read_turns(written(tmp_path, name, text))


def test_a_folder_has_a_file_for_each_recording(tmp_path: Path) -> None:
    written(tmp_path, "call.rttm", RTTM)
    find = turns_for(tmp_path)
    assert find(Path("elsewhere/call.wav")) is not None
    assert find(Path("elsewhere/other.wav")) is None
