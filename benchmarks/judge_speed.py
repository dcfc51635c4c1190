"""How many utterances a second pass through the judge, its own work alone: the provider answers at once."""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emojudge.emotions import EMOTIONS
from emojudge.judge.judging import Judge
from emojudge.judge.providers import load_provider
from emojudge.records import Evidence, Transcript

ITEMS = 10_000
FEW, MANY = 2_000, 20_000  # utterances between which memory must not grow
BAR = 2_000.0  # utterances a second


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Utterances a second with a ledger in a file, asked and from the ledger; and whether memory grows."""
    del arguments
    figures: dict[str, Any] = {"bar": BAR}
    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "ledger.sqlite"
        _judge(ledger, "warm-up", 500)
        for name in ("asked", "from_ledger"):
            started, used = time.perf_counter(), time.process_time()
            _judge(ledger, "item", ITEMS)
            seconds, cpu = time.perf_counter() - started, time.process_time() - used
            figures[name] = {
                "utterances": ITEMS,
                "per_second": round(ITEMS / seconds, 1),
                "cpu_microseconds": round(1e6 * cpu / ITEMS, 1),  # less at the mercy of what else is running
            }
            print(name, figures[name], flush=True)
        peaks = []
        for count in (FEW, MANY):
            _judge(Path(folder) / f"{count}.sqlite", "item", count)
            peaks.append(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1))
        figures["peak_mb"] = {str(FEW): peaks[0], str(MANY): peaks[1]}
        print("peak MB", figures["peak_mb"])
    return figures


def _judge(ledger: Path, word: str, count: int) -> None:
    judge = Judge(load_provider("echo"), ledger=ledger)
    assert sum(1 for _ in judge.refine(_evidences(word, count))) == count
    judge.ledger.close()


def _evidences(word: str, count: int) -> Iterator[Evidence]:
    scores = dict.fromkeys(EMOTIONS, 0.1) | {"happy": 0.3}
    for number in range(count):
        words = Transcript(text=f"This is {word} number {number}, and I mean it.", source="given")
        yield Evidence(id=f"{word}{number}", transcript=words, emotion="happy", scores=scores)
