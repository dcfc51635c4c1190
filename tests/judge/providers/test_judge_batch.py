"""The judge by a Batch API: the same verdicts, half the price, nothing submitted twice."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import emojudge
from emojudge.emotions import EMOTIONS
from emojudge.errors import JudgeError
from emojudge.records import Evidence, Transcript

from .serving import BatchServer, Ending, good_line

pytest.importorskip("openai", reason="needs the extra 'judge'")
ANSWER = json.dumps({"emotion": "sad", "confidence": 90, "reason": "slow"})


@pytest.fixture
def server() -> Iterator[BatchServer]:
    running = BatchServer()
    running.ending = lambda lines: Ending(good=[good_line(line["custom_id"], ANSWER) for line in lines])
    yield running
    running.close()


def items(count: int) -> list[Evidence]:
    scores = dict.fromkeys(EMOTIONS, 0.125)
    return [
        Evidence(
            id=str(i), transcript=Transcript(text=f"Number {i}.", source="s"), emotion="happy", scores=scores
        )
        for i in range(count)
    ]


def test_verdicts_come_by_one_batch_and_from_the_ledger(server: BatchServer, tmp_path: Path) -> None:
    for _ in range(2):
        judge = emojudge.Judge(f"{server.url}#m", ledger=tmp_path / "l.sqlite", batch=True)
        verdicts = list(judge.refine(items(5)))
        assert [(v.id, v.status, v.emotion) for v in verdicts] == [
            (str(i), "changed", "sad") for i in range(5)
        ]
    assert [len(lines) for lines in server.inputs] == [5]
    assert judge.ledger.totals()["answers"] == 5


def test_what_a_batch_does_not_answer_is_not_asked_at_full_price(server: BatchServer, tmp_path: Path) -> None:
    error = {"status_code": 400, "body": {"error": {"message": "too long"}}}
    server.ending = lambda lines: Ending(
        good=[good_line(line["custom_id"], ANSWER) for line in lines[1:]],
        bad=[json.dumps({"custom_id": lines[0]["custom_id"], "response": error, "error": None}).encode()],
    )
    judge = emojudge.Judge(f"{server.url}#m", ledger=tmp_path / "l.sqlite", batch=True)
    assert sorted(v.status for v in judge.refine(items(3))) == ["changed", "changed", "failed"]
    assert not any(seen.path.endswith("/chat/completions") for seen in server.seen)


def test_a_batch_needs_a_file_and_a_server(server: BatchServer, tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match="no ledger's file"):
        emojudge.Judge(f"{server.url}#m", batch=True)
    with pytest.raises(JudgeError, match="no Batch API"):
        emojudge.Judge("echo", ledger=tmp_path / "l.sqlite", batch=True)
