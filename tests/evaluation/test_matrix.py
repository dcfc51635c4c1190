"""The cross-corpus matrix: shared labels, what is left out, and that every cell says how it was made."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emojudge.cli.main import app
from emojudge.errors import PredictionsError
from emojudge.evaluation.evaluate import Settings
from emojudge.evaluation.matrix import matrix_tables, read_matrix

FEW = Settings(resamples=200)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two corpora: one without disgust, one whose boredom is none of the eight."""
    (tmp_path / "a.csv").write_text(
        "id,emotion,speaker\n1,anger,x\n2,sadness,x\n3,happiness,y\n4,boredom,y\n", encoding="utf-8"
    )
    (tmp_path / "b.csv").write_text(
        "id,emotion,speaker\n1,angry,x\n2,sad,x\n3,disgust,y\n4,disgust,y\n5,sad,z\n", encoding="utf-8"
    )
    (tmp_path / "a_b.csv").write_text(  # number 2 would be happy, which b does not have
        "id,emotion,score_angry,score_sad,score_happy\n1,angry,.8,.1,.1\n2,happy,.1,.3,.6\n3,sad,.2,.7,.1\n"
        "4,sad,.2,.7,.1\n5,angry,.6,.3,.1\n",
        encoding="utf-8",
    )
    (tmp_path / "b_a.csv").write_text("id,emotion\n1,angry\n2,disgust\n3,sad\n4,sad\n", encoding="utf-8")
    path = tmp_path / "cells.csv"
    path.write_text(
        "train,test,predictions,truth,emotions\nA,B,a_b.csv,b.csv,angry sad happy\n"
        "B,A,b_a.csv,a.csv,angry sad disgust\n",
        encoding="utf-8",
    )
    return path


def test_cells_are_over_shared_labels_and_say_what_is_left_out(table: Path) -> None:
    a_b, b_a = read_matrix(table, FEW)
    assert (a_b.classes, a_b.items, a_b.left_out, a_b.unknown) == (("angry", "sad"), 3, {"disgust": 2}, 0)
    assert a_b.among
    assert a_b.figures["accuracy"].value == pytest.approx(2 / 3)  # 2 is sad among the shared ones
    assert a_b.figures["UAR"].value == pytest.approx((1 + 1 / 2) / 2)
    assert (b_a.classes, b_a.items, b_a.left_out, b_a.unknown) == (("angry", "sad"), 2, {"happy": 1}, 1)
    assert not b_a.among
    assert b_a.figures["UAR"].value == 0.5  # disgust counts as wrong
    assert b_a.label_map["angry"] == {"anger": 1}


def test_the_matrix_is_readable(table: Path) -> None:
    matrix, cells, labels = matrix_tables(read_matrix(table, FEW))
    assert matrix.header == ("trained on", "B", "A")
    assert matrix.rows[0][0] == "A"
    assert matrix.rows[0][1].startswith("0.750 [")
    assert matrix.rows[0][1].endswith("(2)")
    assert matrix.rows[0][2] == ""
    assert cells.rows[0][4] == "disgust (2)"
    assert ("A", "none", "boredom (1)") in labels.rows


def test_without_a_list_the_emotions_are_those_that_scores_name(table: Path) -> None:
    table.write_text("train,test,predictions,truth\nA,B,a_b.csv,b.csv\n", encoding="utf-8")
    (cell,) = read_matrix(table, FEW)
    assert cell.classes == ("angry", "sad")


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ("A,B,a_b.csv,,", "found no truth; expected train, test"),
        ("A,B,a_b.csv,b.csv,bored", "found emotions 'bored'"),
        ("A,B,a_b.csv,b.csv,happy", "two or more in common"),
        ("A,B,none.csv,b.csv,", "no such file"),
        ("A,B,a_b.csv,none.csv,", "none.csv"),
    ],
)
def test_rows_that_cannot_be_read(table: Path, row: str, wanted: str) -> None:
    table.write_text(f"train,test,predictions,truth,emotions\n{row}\n", encoding="utf-8")
    with pytest.raises(PredictionsError, match=wanted):
        read_matrix(table, FEW)


def test_on_the_command_line(table: Path) -> None:
    invoke: Callable[..., Any] = CliRunner().invoke
    shown = invoke(app, ["evaluate", "matrix", str(table), "--resamples", "200", "-f", "markdown"])
    assert shown.exit_code == 0, shown.output
    assert "| A | 0.750 [" in shown.stdout
    found = json.loads(
        invoke(app, ["evaluate", "matrix", str(table), "--resamples", "200", "-f", "json"]).stdout
    )
    assert found[0]["classes"] == ["angry", "sad"]
    assert invoke(app, ["evaluate", "matrix", str(table), "--figure", "loss"]).exit_code == 2
