"""For `emojudge judge log`: a ledger's runs in words, its entries in full, and its export."""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emojudge.cli.messages import printable
from emojudge.files import whole

if TYPE_CHECKING:
    from emojudge.judge.ledger import Ledger


def run_lines(ledger: "Ledger") -> Iterator[str]:
    """A line for each run, and one for all that was asked and paid."""
    for run in ledger.runs():
        statuses = (
            ", ".join(f"{number} {status}" for status, number in run["verdicts"].items()) or "no verdict"
        )
        settings = run["settings"]
        gate, prompt = settings.get("gate", {}).get("kind"), settings.get("prompt")
        yield printable(
            f"run {run['run']}  {run['began']}  {run['model']}  prompt {prompt}, gate {gate}: {statuses}"
        )
    totals = ledger.totals()
    yield (
        f"{totals['requests']} requests, {totals['answers']} answers, {totals['errors']} errors; "
        f"{totals['prompt_tokens']} + {totals['completion_tokens']} tokens; ${totals['cost']:.4f}"
    )


def show_entry(entry: dict[str, Any]) -> Iterator[str]:
    """One utterance of one run: what was asked, answered, read and decided."""
    verdict = entry["verdict"]
    yield printable(f"run {entry['run']}, {entry['utterance']}: {verdict['status']}, {verdict['emotion']}")
    for message in entry["messages"]:
        yield f"  [{message['role']}]"
        yield from (f"    {printable(line)}" for line in message["content"].splitlines())
    for answer in entry["answers"]:
        for text in answer["texts"] or [f"error: {answer['error']}"]:
            yield "  [answer]"
            yield from (f"    {printable(line)}" for line in text.splitlines())
    if verdict["reason"]:
        yield f"  {printable(verdict['reason'])}"


def export_entries(entries: Iterable[dict[str, Any]], path: Path) -> int:
    """Write entries as JSON lines, or flat as CSV, by the file's suffix; how many there were."""
    from emojudge.errors import JudgeError

    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise JudgeError(path, found=f"the suffix {path.suffix!r}", expected=".jsonl or .csv")
    written = 0
    with whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer: csv.DictWriter[str] | None = None
        for entry in entries:
            written += 1
            if path.suffix.lower() == ".jsonl":
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
                continue
            cells = _cells(entry)
            if writer is None:
                writer = csv.DictWriter(file, list(cells))
                writer.writeheader()
            writer.writerow(cells)
    return written


def _cells(entry: dict[str, Any]) -> dict[str, Any]:
    verdict = entry["verdict"]
    names = ("status", "before", "emotion", "proposed", "confidence", "reason")
    cells = {name: entry[name] for name in ("run", "utterance", "key", "model", "prompt", "written", "cost")}
    cells |= {name: verdict[name] for name in names}
    return cells | {
        "messages": "\n\n".join(message["content"] for message in entry["messages"]),
        "answers": "\n\n".join(text for answer in entry["answers"] for text in answer["texts"]),
    }
