"""Every format reads back as what was written; a file is whole, or kept apart as what was done."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojudge.cli.choices import Format
from emojudge.cli.output import choose_format, opened, write
from emojudge.emotions import EMOTIONS
from emojudge.errors import EmojudgeError
from emojudge.records import Attributes, Failure, Opinion, Prediction, Transcript
from emojudge.rows import COLUMNS

SCORES = dict(zip(EMOTIONS, (0.5, 0.2, 0.1, 0.05, 0.05, 0.04, 0.03, 0.03), strict=True))
OPINION = Opinion(
    logits={emotion: -float(index) for index, emotion in enumerate(EMOTIONS)},
    scores=SCORES,
    attributes=Attributes(valence=2.0, arousal=5.25, dominance=4.5),
)


def prediction(id: str = "a.wav", text: str | None = "I am so happy", **changes: object) -> Prediction:  # noqa: A002
    values: dict[str, object] = {
        "id": id,
        "emotion": "angry",
        "scores": SCORES,
        "attributes": OPINION.attributes,
        "attributes_from": {"valence": "mixed", "arousal": "mixed", "dominance": "mixed"},
        "modalities": ("audio", "text") if text else ("audio",),
        "audio": OPINION,
        "text": OPINION if text else None,
        "transcript": Transcript(text=text, source="given") if text else None,
        "seconds": 1.5,
        "bundle": "tiny",
    }
    return Prediction.model_validate({**values, **changes})


FAILURE = Failure(id="bad.mp3", error="bad.mp3: found plain text; expected a recording.")


def written(*results: Prediction | Failure, layout: Format) -> str:
    file = io.StringIO(newline="")
    write(iter(results), file, layout)
    return file.getvalue()


def test_jsonl_reads_back() -> None:
    first, second = written(prediction(), FAILURE, layout=Format.JSONL).splitlines()
    assert Prediction.model_validate_json(first) == prediction()
    assert Failure.model_validate_json(second) == FAILURE


def test_json_reads_back() -> None:
    first, second = json.loads(written(prediction(), FAILURE, layout=Format.JSON))
    assert Prediction.model_validate(first) == prediction()
    assert Failure.model_validate(second) == FAILURE


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_csv_cells_read_back_as_they_were(text: str) -> None:
    content = written(prediction(id=text, text=text), layout=Format.CSV)
    (row,) = csv.DictReader(io.StringIO(content, newline=""))
    assert (row["id"], row["transcript"]) == (text, text)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "two\rlines", '"'])
def test_csv_holds_what_a_spreadsheet_takes_for_a_formula_unchanged(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(written(prediction(text=text), layout=Format.CSV), newline=""))
    assert row["transcript"] == text


def test_csv_has_both_opinions_and_failures() -> None:
    rows = list(
        csv.DictReader(
            io.StringIO(
                written(prediction(), prediction("b.wav", None), FAILURE, layout=Format.CSV), newline=""
            )
        )
    )
    both, voice, failed = rows
    assert list(both) == COLUMNS
    assert float(both["text_logit_sad"]) == -1.0
    assert float(both["audio_score_angry"]) == 0.5
    assert float(both["audio_arousal"]) == 5.25
    assert (both["modalities"], voice["modalities"]) == ("audio+text", "audio")
    assert voice["text_logit_sad"] == voice["transcript"] == ""
    assert (failed["id"], failed["error"]) == (FAILURE.id, FAILURE.error)
    assert failed["emotion"] == failed["score_angry"] == ""


# ----------------------------------------------------------------------------------------------------- table


def test_the_table_fits_80_columns_without_colour() -> None:
    long = prediction("interviews/2024/" + "very-" * 20 + "long.wav", text="so happy " * 30)
    lines = written(long, prediction("b.wav", None), FAILURE, layout=Format.TABLE).splitlines()
    assert max(map(len, lines)) <= 80
    content = "\n".join(lines)
    assert "\x1b" not in content
    assert "angry     50%" in content
    assert "sad       20%" in content
    assert "~2.0" in content
    assert "voice + words" in content
    assert "not judged" in content
    assert "Bundle: tiny; words: given; voices not adapted." in content
    assert "not of what a person feels" in content


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", ["8", "30", "72", "200"])
def test_no_terminal_is_so_narrow_that_names_or_figures_are_lost(
    monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    write(iter([prediction("interview.wav"), Failure(id="bad.wav", error="no")]), terminal, Format.TABLE)
    for part in ("interview.wav", "angry     50%", "~2.0", "~5.2", "voice + words", "bad.wav", "not judged"):
        assert part in terminal.getvalue(), part


def test_a_file_has_no_colour_even_where_colour_is_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with opened(tmp_path / "out.txt", Format.TABLE) as file:
        write(iter([prediction()]), file, Format.TABLE)
    assert "\x1b" not in (tmp_path / "out.txt").read_text(encoding="utf-8")


def test_the_table_marks_only_what_was_not_measured() -> None:
    measured = dict.fromkeys(("valence", "arousal", "dominance"), "model")
    content = written(prediction(attributes_from=measured), layout=Format.TABLE)
    assert "~" not in content
    assert " 2.0" in content


def test_a_note_stands_once_with_the_rows_it_is_about() -> None:
    rows = [
        prediction(f"{name}.wav", notes=("clipped", "silent") if name == "a" else ("clipped",))
        for name in "ab"
    ]
    content = written(*rows, layout=Format.TABLE)
    assert content.count("Clipped (all 2).") == 1
    assert "Silent (a.wav)." in content


def test_hostile_names_and_words_cannot_steer_the_terminal() -> None:
    content = written(
        prediction("[red]\x1b[31m.wav", text="\x1b]0;owned\x07 \u202etxt.exe [bold]"), layout=Format.TABLE
    )
    assert not {"\x1b", "\x07", "\u202e"} & set(content)
    assert "[red]\\x1b[31m.wav" in content
    assert "[bold]" in content


# ---------------------------------------------------------------------------------------------------- files


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with opened(path, Format.JSONL) as file:
        write([prediction()], file, Format.JSONL)
        assert not path.exists()
    assert Prediction.model_validate_json(path.read_text("utf-8")) == prediction()
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("layout", list(Format))
def test_what_was_done_before_an_interruption_is_kept_apart(
    tmp_path: Path, layout: Format, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> Iterator[Prediction]:
        yield prediction()
        raise KeyboardInterrupt

    path = tmp_path / "out"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), opened(path, layout) as file:
        write(interrupted(), file, layout)
    assert path.read_text() == "before"
    kept = tmp_path / "out.partial"
    assert str(kept) in capsys.readouterr().err
    content = kept.read_text("utf-8")
    assert "a.wav" in content
    if layout is Format.JSON:
        assert [row["id"] for row in json.loads(content)] == ["a.wav"]


@pytest.mark.parametrize("layout", list(Format))
def test_nothing_is_left_when_nothing_was_done(tmp_path: Path, layout: Format) -> None:
    def failing() -> Iterator[Prediction]:
        raise EmojudgeError("here", found="this", expected="that")
        yield

    with pytest.raises(EmojudgeError), opened(tmp_path / "out", layout) as file:
        write(failing(), file, layout)
    assert not list(tmp_path.iterdir())


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text("")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    with opened(tmp_path / "link.jsonl", Format.JSONL) as file:
        write([FAILURE], file, Format.JSONL)
    assert (tmp_path / "link.jsonl").is_symlink()
    assert Failure.model_validate_json((tmp_path / "real.jsonl").read_text("utf-8")) == FAILURE


def test_only_a_regular_file_is_replaced(tmp_path: Path) -> None:
    for place in (tmp_path, Path("/dev/null"), tmp_path / "gone" / "out.json"):
        with pytest.raises(EmojudgeError, match="expected"), opened(place, Format.JSON):
            pass
    assert Path("/dev/null").is_char_device()


def test_the_format_follows_the_file_unless_it_is_named() -> None:
    assert choose_format(None, Path("out.CSV")) is Format.CSV
    assert choose_format(Format.JSON, Path("out.csv")) is Format.JSON
    assert choose_format(None, Path("out.txt")) is Format.TABLE
    with pytest.raises(EmojudgeError, match=r"'\.xlsx'"):
        choose_format(None, Path("out.xlsx"))
