"""`emojudge evaluate` as people run it, and what it says of tables that do not fit."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emojudge.emotions import EMOTIONS

Run = Callable[..., Any]
PREDICTIONS = """name,pred,conf,valence,arousal,dominance,spk
a.wav,happy,0.5,4,4,4,s1
b.wav,S,0.9,2,3,3,s1
c.wav,neutral,0.4,4,3,4,s2
d.wav,anger,0.6,3,6,5,s2
"""
LABELS = """FileName,EmoClass,EmoVal,EmoAct,EmoDom,SpkrID
a.wav,H,5,5,4,s1
b.wav,S,2,2,3,s1
c.wav,A,3,3,4,s2
d.wav,A,2,6,6,s2
"""
COLUMNS = ("--columns", "id=name", "--columns", "emotion=pred", "--columns", "score=conf")


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.csv").write_text(PREDICTIONS, encoding="utf-8")
    (tmp_path / "labels.csv").write_text(LABELS, encoding="utf-8")
    return tmp_path


def evaluate(run: Run, *more: object) -> Any:
    return run("evaluate", "p.csv", "--truth", "labels.csv", "--resamples", 200, *COLUMNS, *more)


def test_anyones_predictions_against_msp_podcasts_labels(run: Run, tables: Path) -> None:
    result = evaluate(run, "-f", "json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["items"], found["groups"], found["classes"]) == (4, 2, ["angry", "sad", "happy"])
    assert found["emotions"]["accuracy"]["value"] == 0.75
    assert found["emotions"]["macro-F1"]["value"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert found["attributes"]["valence"]["MAE"]["value"] == 0.75
    assert found["confusion"][0][EMOTIONS.index("neutral")] == 1
    assert found["label_map"] == {"happy": {"H": 1}, "sad": {"S": 1}, "angry": {"A": 2}}


@pytest.mark.parametrize(
    ("layout", "wanted"), [("table", "macro-F1  "), ("markdown", "| macro-F1 | 0.889 [")]
)
def test_tables_for_people_and_for_a_repository(run: Run, tables: Path, layout: str, wanted: str) -> None:
    result = evaluate(run, "-f", layout)
    assert result.exit_code == 0, result.stderr
    assert wanted in result.stdout
    assert "200 resamples of 2 speakers" in " ".join(result.stdout.split())
    assert "angry ← A (2)" in " ".join(result.stdout.split())


def test_labels_in_the_same_table_need_a_name_of_their_own(run: Run, tables: Path) -> None:
    (tables / "both.csv").write_text("id,emotion,label\na,sad,sad\nb,sad,happy\n", encoding="utf-8")
    found = json.loads(run("evaluate", "both.csv", "--resamples", 200, "-f", "json").stdout)
    assert found["emotions"]["accuracy"]["value"] == 0.5
    result = run("evaluate", "p.csv", *COLUMNS)
    assert result.exit_code == 2  # `emotion` alone would be the prediction itself
    assert "expected a column of emotions (label, truth)" in result.stderr


def test_a_judges_verdicts_are_compared_with_what_was_before(run: Run, tables: Path) -> None:
    judged = run(
        "judge", "p.csv", "--judge", "echo:angry", *COLUMNS, "-o", "judged.csv", "--ledger", "l.sqlite"
    )
    assert judged.exit_code == 0, judged.stderr
    options = ("--truth", "labels.csv", "--resamples", 200, *COLUMNS, "-f", "json")
    found = json.loads(run("evaluate", "judged.csv", *options).stdout)
    (compared,) = [each for each in found["comparisons"] if each["figure"] == "macro-F1"]
    assert compared["against"] == "judged.csv before the judge"
    assert compared["difference"]["before"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert compared["difference"]["after"] == pytest.approx((2 * 2 / (4 + 2)) / 3)
    alone = json.loads(run("evaluate", "judged.csv", *options, "--recogniser").stdout)
    assert alone["comparisons"] == []
    assert alone["emotions"]["accuracy"]["value"] == 0.75


def test_missing_rows_are_counted_named_and_no_success(run: Run, tables: Path) -> None:
    (tables / "labels.csv").write_text(LABELS + "e.wav,F,3,3,3,s3\nf.wav,X,3,3,3,s3\n", encoding="utf-8")
    (tables / "p.csv").write_text(PREDICTIONS + "z.wav,sad,1,4,4,4,s9\nf.wav,,,,,,s3\n", encoding="utf-8")
    result = evaluate(run, "-f", "table")
    assert result.exit_code == 1
    said = " ".join(result.stdout.split())
    assert "predictions without a label, left out: 1, such as z.wav" in said
    assert "labelled utterances without a row: 1, such as e.wav" in said
    assert "rows without a prediction: 1, such as f.wav" in said
    assert "labels that are none of the eight emotions, left out: 1, such as 'X' (1)" in said
    assert "2 labelled utterances have no prediction" in result.stderr


@pytest.mark.parametrize(
    ("predictions", "labels", "wanted"),
    [
        (PREDICTIONS + "a.wav,sad,1,4,4,4,s1\n", LABELS, "1 rows about an utterance that was there"),
        (PREDICTIONS, LABELS + "a.wav,S,2,2,2,s1\n", "1 rows with an id that was there before: a.wav"),
        (PREDICTIONS.replace(".wav", ".mp3x"), LABELS, "4 ids, none of them among the labels: a.mp3x"),
        (PREDICTIONS, "FileName,EmoClass\na.wav,Q\n", "no label that names an emotion: Q"),
        (PREDICTIONS, LABELS.replace("FileName", "Clip"), "found no id; expected a column id, file"),
        ("name,pred,conf,valence,arousal,dominance\na.wav,sad,1,0,0,0\n", LABELS, "--scale 0..1"),
        (PREDICTIONS, LABELS.replace("5,5,4", "5,9,4"), "found arousal = '9'; expected a number from 1 to 7"),
    ],
)  # fmt: skip
def test_errors_that_teach(run: Run, tables: Path, predictions: str, labels: str, wanted: str) -> None:
    (tables / "p.csv").write_text(predictions, encoding="utf-8")
    (tables / "labels.csv").write_text(labels, encoding="utf-8")
    result = evaluate(run)
    assert result.exit_code == 2, result.stdout
    assert wanted in result.stderr


def test_other_scales_are_read_when_they_are_named(run: Run, tables: Path) -> None:
    rows = "name,pred,conf,valence,arousal,dominance\na.wav,happy,1,0.5,0.5,0.5\nb.wav,sad,1,0,1,0.5\n"
    (tables / "p.csv").write_text(rows, encoding="utf-8")
    found = json.loads(evaluate(run, "--scale", "0..1", "-f", "json").stdout)
    assert found["attributes"]["arousal"]["MAE"]["value"] == (1 + 5) / 2
    assert evaluate(run, "--scale", "1..0").exit_code == 2


def test_attributes_alone_will_do(run: Run, tables: Path) -> None:
    rows = "file,arousal,dominance,valence\na.wav,.6,.5,.7\nb.wav,.2,.4,.1\nc.wav,.3,.5,.4\n"
    (tables / "p.csv").write_text(rows, encoding="utf-8")
    options = ("--truth", "labels.csv", "--resamples", 200, "--scale", "0..1", "-f", "json")
    result = run("evaluate", "p.csv", *options)
    assert result.exit_code == 1  # d.wav has no row
    found = json.loads(result.stdout)
    assert (found["items"], found["rated"], found["emotions"]) == (0, 3, {})
    assert found["attributes"]["valence"]["CCC"]["value"] > 0.9
    assert found["power"] is None
    assert "emotions, for slices" in run("evaluate", "p.csv", *options, "--slice", "speaker").stderr


def test_options_that_do_not_go_together(run: Run, tables: Path) -> None:
    assert "expected --truth DIR beside it" in run("evaluate", "p.csv", "--corpus", "ravdess").stderr
    assert (
        "expected a table, or --corpus NAME" in run("evaluate", "p.csv", "--truth", tables, *COLUMNS).stderr
    )
    assert "expected some of angry" in evaluate(run, "--classes", "angry,bored").stderr
    assert "expected percentile or bca" in evaluate(run, "--method", "normal").stderr


def test_other_systems_and_slices(run: Run, tables: Path) -> None:
    (tables / "worse.csv").write_text(PREDICTIONS.replace("happy", "fear"), encoding="utf-8")
    result = evaluate(run, "--against", "worse.csv", "-f", "json", "-o", "out.json")
    assert result.exit_code == 0, result.stderr
    found = json.loads((tables / "out.json").read_text())
    assert [each["against"] for each in found["comparisons"]] == ["worse.csv", "worse.csv"]
    assert found["comparisons"][0]["gain"] > 0
    assert evaluate(run, "--slice", "spk", "-f", "json").exit_code == 0
    assert "expected one of speaker, duration" in evaluate(run, "--slice", "nothing").stderr
