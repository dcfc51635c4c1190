"""The ledger: nothing paid for is lost, nothing is paid for twice, nothing secret is in it."""

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import emojudge
from emojudge.errors import JudgeError
from emojudge.judge.exchange import Answer, Message, Request, Usage
from emojudge.judge.ledger import Ledger
from emojudge.records import Evidence

Make = Callable[..., Evidence]
ABOUT = {"provider": "test/model", "model": "m", "prompt": "p"}


def kept(ledger: Ledger, answer: Answer, cost: float | None = None) -> None:
    ledger.keep(Request(answer.key, (Message("user", "?"),), ()), answer, cost, **ABOUT)


# Judges 300 utterances; the model writes a line to a file, whole, for every request that it is paid for.
WORKER = """
import json, os, sys, time
import emojudge
from emojudge.emotions import EMOTIONS
from emojudge.judge.exchange import Answer, Usage
from emojudge.records import Evidence, Transcript

paid, ledger = sys.argv[1:]

class Paid:
    name = model = "paid"
    concurrency = 4

    def ask(self, request):
        time.sleep(0.002)
        with open(paid, "a") as file:
            file.write(request.key + "\\n")
        return Answer(request.key, (json.dumps({"emotion": "sad", "confidence": 90}),), usage=Usage(10, 5))

scores = dict.fromkeys(EMOTIONS, 0.125)
items = (
    Evidence(id=str(i), transcript=Transcript(text=f"number {i}", source="s"), emotion="happy", scores=scores)
    for i in range(300)
)
for verdict in emojudge.Judge(Paid(), ledger=ledger).refine(items):
    assert verdict.emotion == "sad"
print("done", flush=True)
"""


def test_killed_at_any_moment_nothing_is_lost_that_was_paid_for(tmp_path: Path) -> None:
    script, paid, path = tmp_path / "worker.py", tmp_path / "paid.txt", tmp_path / "ledger.sqlite"
    script.write_text(WORKER)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    kills = 0
    for attempt in range(20):
        before = len(paid.read_text().splitlines()) if paid.exists() else 0
        process = subprocess.Popen(
            [sys.executable, str(script), str(paid), str(path)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        while process.poll() is None:
            done = len(paid.read_text().splitlines()) if paid.exists() else 0
            if attempt < 5 and done >= before + 5 + 7 * attempt:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.001)
        output = process.communicate()[0]
        if "done" in output:
            break
        with Ledger(path) as ledger:  # it opens, and has what was paid for but for what was on its way
            written = int(ledger.totals()["answers"])
        assert written >= len(paid.read_text().splitlines()) - 4 * kills
    assert kills >= 3
    asked = paid.read_text().splitlines()
    assert len(set(asked)) == 300
    assert (
        len(asked) - 300 <= 4 * kills
    )  # at most the four that were under way at each kill, in the model's hands
    with Ledger(path) as ledger:
        assert 300 <= ledger.totals()["answers"] <= len(asked)
        assert ledger.runs()[-1]["verdicts"] == {"changed": 300}


def says(request: Request) -> str:
    return json.dumps({"emotion": "sad", "confidence": 90, "reason": "slow"})


def test_everything_can_be_looked_up(model: Any, evidence: Make, tmp_path: Path) -> None:
    items = [evidence("One.", id="1"), evidence("Two.", id="2", conflict=False)]
    judge = emojudge.Judge(model(says), ledger=tmp_path / "l.sqlite")
    list(judge.refine(items))
    list(emojudge.Judge(model(says), ledger=judge.ledger, gate="conflict").refine(items))
    with Ledger(tmp_path / "l.sqlite") as ledger:
        entries = list(ledger.entries())
        assert [(e["run"], e["utterance"], e["verdict"]["status"]) for e in entries] == [
            *((1, "1", "changed"), (1, "2", "changed"), (2, "1", "passed"), (2, "2", "passed"))
        ]
        first = entries[0]
        assert first["messages"] == [
            {"role": m.role, "content": m.content} for m in judge.provider.asked[0].messages
        ]
        assert (first["answers"][0]["texts"], first["reading"]["reason"]) == (
            [says(judge.provider.asked[0])],
            "slow",
        )
        assert first["model"] == "model-1"
        assert [e["utterance"] for e in ledger.entries(run=2, utterance="2")] == ["2"]
        assert [run["verdicts"] for run in ledger.runs()] == [{"changed": 2}, {"passed": 2}]
        assert ledger.runs()[0]["settings"]["gate"]["kind"] == "all"
        assert ledger.totals()["prompt_tokens"] == 200


def test_many_entries_come_page_by_page(model: Any, evidence: Make) -> None:
    judge = emojudge.Judge(model(says))
    list(judge.refine(evidence(str(i), id=f"{i:04}") for i in range(603)))
    assert [e["utterance"] for e in judge.ledger.entries()] == [f"{i:04}" for i in range(603)]


def test_a_prompts_text_is_stored_once(model: Any, evidence: Make, tmp_path: Path) -> None:
    judge = emojudge.Judge(model(says), ledger=tmp_path / "l.sqlite")
    list(judge.refine(evidence(str(i)) for i in range(50)))
    rows = sqlite3.connect(tmp_path / "l.sqlite").execute("SELECT count(*) FROM texts").fetchone()
    assert rows == (51,)


def test_answers_come_back_as_they_were() -> None:
    answer = Answer(
        "k",
        ("a", "b"),
        {"S": -0.5},
        "stop",
        "m",
        "fp",
        ("seed",),
        Usage(3, 4),
        received="2026-01-01",
        extra={"x": "y"},
    )
    ledger = Ledger()
    kept(ledger, answer, 0.25)
    assert ledger.answered("k") == answer
    assert ledger.totals()["cost"] == 0.25
    assert ledger.answered("other") is None


def test_errors_are_kept_but_not_reused() -> None:
    ledger = Ledger()
    kept(ledger, Answer("k", error="HTTP 401: bad key sk-abcdef1234567890, Bearer abc123"))
    assert ledger.answered("k") is None
    assert ledger.totals()["errors"] == 1
    (stored,) = ledger._base.execute("SELECT answer FROM answers").fetchone()
    assert "sk-abc" not in stored
    assert "abc123" not in stored
    kept(ledger, Answer("k", error="refused", usage=Usage(10, 2)), 0.1)  # paid for: it would be refused again
    assert ledger.answered("k") is not None


def test_a_ledger_is_its_owners_alone(tmp_path: Path) -> None:
    Ledger(tmp_path / "l.sqlite").close()
    assert stat.S_IMODE((tmp_path / "l.sqlite").stat().st_mode) == 0o600


def test_files_that_are_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Dear Sir, " * 500)
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE t (x)")
    for path in (tmp_path / "text", tmp_path / "other.sqlite", tmp_path / "none" / "l.sqlite", tmp_path):
        with pytest.raises(JudgeError):
            Ledger(path)


def test_two_processes_share_a_ledger(tmp_path: Path) -> None:
    one, two = Ledger(tmp_path / "l.sqlite"), Ledger(tmp_path / "l.sqlite")
    kept(one, Answer("a", ("x",)))
    kept(two, Answer("b", ("y",)))
    assert one.answered("b") is not None
    assert two.answered("a") is not None
