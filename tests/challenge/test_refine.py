"""Refined rows: every prediction is judged once, and what a language model said of it is kept."""

import csv
from pathlib import Path

import numpy as np
import pytest

from emojudge.challenge import refine as module
from emojudge.challenge.refine import Options, Refinement, counts
from emojudge.challenge.tables import write_predictions
from emojudge.emotions import EMOTIONS
from emojudge.judge.exchange import Request
from emojudge.judge.providers.echo import Echo
from emojudge.judge.settings import Settings
from emojudge.records import Transcript, Utterance


def quiet(done: int, steps: int, text: str) -> None:
    pass


@pytest.fixture
def predictions(tmp_path: Path) -> dict[str, Path]:
    """Two tables of sixteen lines, two predictions of each emotion; the last utterance has no prediction."""
    paths = {}
    for split in ("dev2", "test1"):
        items = [Utterance(id=f"{split}_{n}.wav", transcript=Transcript(text=f"line {n}", source="x"))
                 for n in range(17)]  # fmt: skip
        logits = np.full((17, 8), np.nan, dtype=np.float32)
        logits[:16] = 3 * np.eye(8)[np.arange(16) % 8]
        paths[split] = tmp_path / "predictions" / f"{split}.csv"
        write_predictions(paths[split], items, logits, "emotion", {"audio": logits, "text": -logits})
    return paths


class Counting(Echo):
    """Answers sad with all confidence, and counts."""

    asked = 0

    def __init__(self) -> None:
        sad = '{"emotion": "sad", "confidence": 100, "reason": ""}'
        super().__init__("sad", rule=lambda request: "sad" if request.schema is None else sad)

    def ask(self, request: Request):  # type: ignore[no-untyped-def]
        type(self).asked += 1
        self.last = request
        return super().ask(request)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Counting:
    made = Counting()
    Counting.asked = 0
    monkeypatch.setattr(module, "load_provider", lambda name: made)
    return made


RIGHT = {f"dev2_{n}.wav": EMOTIONS[n % 8] for n in range(8)}  # of the others nobody knows


def test_every_prediction_is_judged_but_the_examples(
    predictions: dict[str, Path], provider: Counting, tmp_path: Path
):
    tables = Refinement(Options("echo:sad"), tmp_path / "judged", quiet).tables("row", predictions, RIGHT)
    assert len(tables["test1"]) == 17
    assert {row["id"] for row in tables["dev2"]} == {f"dev2_{n}.wav" for n in range(8, 17)}  # 8 are shown
    assert "line 3" in "".join(message.content for message in provider.last.messages)
    assert {row["verdict_emotion"] for row in tables["test1"][:16]} == {"sad"}
    assert tables["test1"][16]["error"] == "no recording or no words"
    assert counts(tables) == {"changed": 14 + 7, "confirmed": 2 + 1}


def test_what_was_judged_is_neither_asked_nor_made_again(
    predictions: dict[str, Path], provider: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = Refinement(Options("echo:sad"), tmp_path / "judged", quiet).tables("row", predictions, RIGHT)
    asked = Counting.asked
    monkeypatch.setattr(Refinement, "_judged", None)  # not even evidence is gathered
    again = Refinement(Options("echo:sad"), tmp_path / "judged", quiet).tables("row", predictions, RIGHT)
    assert (again, Counting.asked) == (first, asked)
    (kept,) = (tmp_path / "judged" / "row").glob("test1-*.csv")
    assert list(csv.DictReader(kept.open(encoding="utf-8"))) == first["test1"]


def test_failures_are_asked_again_and_answers_are_not(predictions: dict[str, Path], tmp_path: Path):
    def broken(request: Request) -> str:
        if "line 2" in request.messages[-1].content:
            raise ConnectionError("no route to host")
        return '{"emotion": "sad", "confidence": 100, "reason": ""}'

    def rested(request: Request) -> str:
        assert "line 2" in request.messages[-1].content
        return '{"emotion": "sad", "confidence": 100, "reason": ""}'

    def judged(rule) -> dict[str, int]:  # type: ignore[no-untyped-def]
        options = Options("echo", Settings(prompt="default"))
        refinement = Refinement(options, tmp_path / "judged", quiet)
        refinement._provider = Echo("echo", rule=rule)
        return counts(refinement.tables("row", {"test1": predictions["test1"]}, {}))

    assert judged(broken)["failed"] == 1
    assert not list((tmp_path / "judged").glob("row/*"))
    assert "failed" not in judged(rested)
    assert len(list((tmp_path / "judged").glob("row/*"))) == 1


def test_a_judge_may_ask_only_where_voice_and_words_differ(
    predictions: dict[str, Path], provider: Counting, tmp_path: Path
):
    """The tables have what both models said."""
    settings = Settings.model_validate({"gate": {"kind": "conflict"}})
    tables = Refinement(Options("echo", settings), tmp_path / "j", quiet).tables(
        "row", {"test1": predictions["test1"]}, {}
    )
    assert counts(tables)["passed"] == 0
    assert Counting.asked == 16


def test_a_damaged_recording_leaves_the_words(
    predictions: dict[str, Path], provider: Counting, tmp_path: Path
):
    damaged = tmp_path / "test1_0.wav"
    damaged.write_bytes(b"RIFF nothing")
    items = [Utterance(id="test1_0.wav", audio=damaged, transcript=Transcript(text="well", source="x"))]
    path = tmp_path / "predictions" / "test2.csv"
    write_predictions(path, items, np.eye(8, dtype=np.float32)[:1], "emotion", {})
    refinement = Refinement(Options("echo", Settings()), tmp_path / "judged", quiet)
    assert counts(refinement.tables("row", {"test2": path}, {})) == {"changed": 1}
    assert refinement.unheard == {"test1_0.wav"}
    assert "well" in provider.last.messages[-1].content
