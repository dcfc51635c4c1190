"""Submissions: what `predict` writes becomes what the leaderboard takes, and nothing else does."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from emojudge.challenge.submission import (
    TEST_FILES,
    Submission,
    check_submission,
    make_submission,
    names_of_test3,
    read_names,
)
from emojudge.cli.choices import Format
from emojudge.cli.main import app
from emojudge.cli.output import write
from emojudge.emotions import EMOTIONS, LETTERS
from emojudge.errors import ChallengeError
from emojudge.records import Attributes, Failure, Prediction, Verdict

NAMES = ["b.wav", "a.wav", "c.wav"]


def prediction(name: str, emotion: str = "sad", verdict: str | None = None) -> Prediction:
    scores = {e: 0.93 if e == emotion else 0.01 for e in EMOTIONS}
    judged = verdict and Verdict(
        id=name, emotion=verdict, before=emotion, scores=scores, changed=True, status="changed"
    )
    return Prediction(
        id=f"Audios/{name}",
        emotion=emotion,
        scores=scores,
        attributes=Attributes(valence=2.5, arousal=3.5, dominance=4.5),
        attributes_from={"valence": "derived", "arousal": "derived", "dominance": "derived"},
        modalities=("audio",),
        bundle="tiny",
        verdict=judged or None,
    )


@pytest.fixture(params=[Format.CSV, Format.JSONL])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path]:
    """Predictions in a file, as the command line writes them."""

    def written(*results: Prediction | Failure) -> Path:
        path = tmp_path / f"predictions.{request.param.value}"
        with path.open("w", encoding="utf-8", newline="") as file:
            write(results, file, request.param)
        return path

    return written


def test_the_test_set():
    names = names_of_test3()
    assert len(names) == len(set(names)) == TEST_FILES
    assert (names[0], names[-1]) == ("MSP-PODCAST_test3_0001.wav", "MSP-PODCAST_test3_3200.wav")


def test_emotions_become_letters_in_the_order_of_the_names(table: Callable[..., Path]):
    path = table(
        prediction("a.wav", "surprise"), prediction("b.wav", "contempt"), prediction("c.wav", "neutral")
    )
    made = make_submission(path, 1, NAMES)
    assert made.text() == "FileName,EmoClass\nb.wav,C\na.wav,U\nc.wav,N\n"


def test_attributes_are_in_the_challenges_order(table: Callable[..., Path]):
    made = make_submission(table(*map(prediction, NAMES)), 2, NAMES)
    assert made.text().splitlines()[:2] == [
        "FileName,EmoAct,EmoVal,EmoDom",
        "b.wav,3.500000,2.500000,4.500000",
    ]
    assert made.derived == 3


def test_a_judges_verdict_counts_unless_it_is_not_to(table: Callable[..., Path]):
    path = table(prediction("a.wav", "sad", "fear"), prediction("b.wav"), prediction("c.wav"))
    made = make_submission(path, 1, NAMES)
    assert ([row[1] for row in made.rows], made.judged) == (["S", "F", "S"], 1)
    alone = make_submission(path, 1, NAMES, verdicts=False)
    assert ([row[1] for row in alone.rows], alone.judged) == (["S", "S", "S"], 0)


def test_missing_extra_and_double_names_are_all_told(table: Callable[..., Path]):
    path = table(prediction("a.wav"), prediction("a.wav"), prediction("z.wav"), prediction("c.wav"))
    with pytest.raises(ChallengeError) as refused:
        make_submission(path, 1, NAMES)
    assert refused.value.found == "1 missing: b.wav; 1 extra: z.wav; 1 there twice: a.wav"


def test_a_failure_is_no_prediction(table: Callable[..., Path]):
    path = table(prediction("a.wav"), Failure(id="b.wav", error="0 bytes"), prediction("c.wav"))
    with pytest.raises(ChallengeError, match=r"1 without a usable prediction: b.wav \(0 bytes\)"):
        make_submission(path, 1, NAMES)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-20, 20), min_size=3, max_size=3))
def test_values_are_clamped_and_pass_the_check(tmp_path_factory: pytest.TempPathFactory, values: list[float]):
    folder = tmp_path_factory.mktemp("clamp")
    (folder / "p.csv").write_text(
        "FileName,EmoVal,EmoAct,EmoDom\n"
        + "\n".join(f"{n},{v},4,4" for n, v in zip(NAMES, values, strict=True))
    )
    made = make_submission(folder / "p.csv", 2, NAMES)
    made.write(folder / "s.csv")
    check_submission(folder / "s.csv", 2, NAMES)
    assert [float(row[2]) for row in made.rows] == pytest.approx(
        [min(max(v, 1), 7) for v in values], abs=1e-6
    )
    assert made.clamped == sum(not 1 <= v <= 7 for v in values)


@pytest.mark.parametrize("cell", ["", "nan", "inf", "many"])
def test_what_is_no_number_is_refused(tmp_path: Path, cell: str):
    path = tmp_path / "p.jsonl"
    path.write_text(
        "\n".join(json.dumps({"id": n, "valence": cell, "arousal": 1, "dominance": 1}) for n in NAMES)
    )
    with pytest.raises(ChallengeError, match="3 without a usable prediction"):
        make_submission(path, 2, NAMES)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("FileName,Prediction\nb.wav,S\n", "the header FileName,EmoClass"),
        ("FileName,EmoClass\nb.wav,S\na.wav,S\n", "1 missing: c.wav"),
        ("FileName,EmoClass\na.wav,S\nb.wav,S\nc.wav,S\n", "another order: a.wav in the place of b.wav"),
        ("FileName,EmoClass\nb.wav,S\na.wav,X\nc.wav,s\n", 'line 3: EmoClass "X", line 4: EmoClass "s"'),
        ("FileName,EmoClass\n", "no row"),
        ("FileName,EmoClass\nb.wav,S\nb.wav,S\na.wav,S\nc.wav,S\n", "1 there twice: b.wav"),
    ],
)
def test_a_file_that_is_no_submission(tmp_path: Path, text: str, complaint: str):
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(ChallengeError) as refused:
        check_submission(path, 1, NAMES)
    assert complaint in str(refused.value)


@pytest.mark.parametrize("value", ["0.99", "7.01", "nan", ""])
def test_a_value_out_of_range(tmp_path: Path, value: str):
    path = tmp_path / "s.csv"
    path.write_text("FileName,EmoAct,EmoVal,EmoDom\n" + "".join(f"{n},1,{value},7\n" for n in NAMES))
    with pytest.raises(ChallengeError, match="3 with values that are not allowed: line 2: EmoVal"):
        check_submission(path, 2, NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "b.wav\na.wav\n\nc.wav",
        "FileName,EmoClass\nb.wav,A\na.wav,A\nc.wav,A\n",
        "Train; x.wav\nTest3; b.wav\nTest3; a.wav\nTest3; c.wav\n",
    ],
)
def test_names_are_read_from(tmp_path: Path, text: str):
    (tmp_path / "names").write_text(text)
    assert read_names(tmp_path / "names") == NAMES


@pytest.mark.parametrize(("text", "found"), [("", "no name"), ("a\na\n", "names more than once: a")])
def test_names_that_are_none(tmp_path: Path, text: str, found: str):
    (tmp_path / "names").write_text(text)
    with pytest.raises(ChallengeError, match=found):
        read_names(tmp_path / "names")


def test_all_letters_are_written(tmp_path: Path):
    path = tmp_path / "p.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "emotion"], *((f"{e}.wav", e) for e in EMOTIONS)])
    made = make_submission(path, 1, [f"{e}.wav" for e in EMOTIONS])
    assert "".join(row[1] for row in made.rows) == "".join(LETTERS)


def test_the_command_line(tmp_path: Path):
    (tmp_path / "p.csv").write_text("id,emotion\n" + "".join(f"x/{n},happy\n" for n in names_of_test3()))
    target = tmp_path / "s.csv"

    def run(*arguments: object) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["submit", *map(str, arguments)])
        return result.exit_code, result.stderr

    code, said = run(tmp_path / "p.csv", "--task", 1, "-o", target)
    assert (code, "3200 files" in said) == (0, True)
    assert len(target.read_text().splitlines()) == 3201
    assert run("--task", 1, "--check", target)[0] == 0
    code, said = run("--task", 2, "--check", target)
    assert (code, "header FileName,EmoAct,EmoVal,EmoDom" in said) == (2, True)
    before = target.read_bytes()
    (tmp_path / "p.csv").write_text("id,emotion\na.wav,happy\n")
    assert run(tmp_path / "p.csv", "--task", 1, "-o", target)[0] == 2
    assert target.read_bytes() == before  # what was there is not lost
    assert run("--task", 1)[0] == 2
    assert run("--task", 3, "--check", target)[0] == 2


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(ChallengeError, match="a folder to write in"):
        Submission(1, (("a.wav", "A"),)).write(tmp_path / "no" / "s.csv")
