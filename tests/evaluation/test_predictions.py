"""Tables of predictions, one or a folder of them."""

from pathlib import Path

import pytest

from emojudge.errors import PredictionsError
from emojudge.evaluation.predictions import Predictions


def test_a_folder_is_read_part_after_part(tmp_path: Path):
    (tmp_path / "part-1.csv").write_text("id,emotion\nb,sad\n")
    (tmp_path / "part-0.csv").write_text("id,emotion\na,happy\n")
    (tmp_path / "part-2.jsonl").write_text('{"id": "a", "emotion": "fear"}\n')
    (tmp_path / "notes.txt").write_text("no table")
    rows = list(Predictions(tmp_path))
    assert [row.id for row in rows] == ["a", "b", "a#1"]
    assert [row.prediction.emotion for row in rows if row.prediction] == ["happy", "sad", "fear"]


def test_a_folder_without_a_table_is_refused(tmp_path: Path):
    with pytest.raises(PredictionsError, match="a folder without one"):
        Predictions(tmp_path)
