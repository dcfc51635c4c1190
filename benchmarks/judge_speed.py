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


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Utterances a second with a ledger in a file, asked and from the ledger, and what memory grows by."""
    del arguments
    with tempfile.TemporaryDirectory() as folder:
        figures: dict[str, Any] = {}
        for name in ("asked", "from_ledger"):
            judge = Judge(load_provider("echo"), ledger=Path(folder) / "ledger.sqlite")
            list(judge.refine(_evidences(500, "warm-up")))
            before = _peak_megabytes()
            started = time.perf_counter()
            judged = sum(1 for _ in judge.refine(_evidences(ITEMS, "item")))
            seconds = time.perf_counter() - started
            judge.ledger.close()
            figures[name] = {
                "utterances": judged,
                "per_second": round(judged / seconds, 1),
                "peak_growth_mb": round(_peak_megabytes() - before, 1),
            }
            print(name, figures[name])
    return figures


def _evidences(count: int, word: str) -> Iterator[Evidence]:
    scores = dict.fromkeys(EMOTIONS, 0.1) | {"happy": 0.3}
    for number in range(count):
        words = Transcript(text=f"This is {word} number {number}, and I mean it.", source="given")
        yield Evidence(id=f"{word}{number}", transcript=words, emotion="happy", scores=scores)


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
