"""For `emojudge judge`: rows of a table with their evidence, and as they are written with their verdicts."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from emojudge.cli.choices import Format
from emojudge.cli.judged import Evidences
from emojudge.cli.messages import printable, say

if TYPE_CHECKING:
    from emojudge.evaluation.predictions import Row
    from emojudge.judge.evidence import Unheard
    from emojudge.records import Evidence, Verdict

    Judged = Iterator[tuple[Row, Verdict | None]]


def evidence_of_rows(rows: "Iterable[Row]", audio: bool) -> "Callable[[Row], Evidence | Unheard | None]":
    """What makes the evidence on a row: with earlier turns where the rows are a list of recordings' turns."""
    from emojudge.bundle.format import Bundle
    from emojudge.judge.evidence import gather_evidence
    from emojudge.records import Evidence

    evidences = Evidences(Bundle.open() if audio else None)
    found: dict[str, Evidence] = {}
    if isinstance(rows, list):
        pairs = [(row.prediction, row.utterance) for row in rows if row.prediction and row.utterance]
        silent = [utterance.model_copy(update={"audio": None}) for _, utterance in pairs]
        told = gather_evidence([prediction for prediction, _ in pairs], silent)
        found = {evidence.id: evidence for evidence in told if isinstance(evidence, Evidence)}

    def evidence(row: "Row") -> "Evidence | Unheard | None":
        if row.prediction is None:
            return None
        if row.id not in found:
            return evidences.of(row.prediction, row.utterance, audio)
        return evidences.heard_later(found[row.id], row.utterance) if audio else found[row.id]

    return evidence


def check_scores(table: "Iterable[Row]", gate: str) -> None:
    from emojudge.errors import JudgeError

    if gate in ("all", "conflict"):
        return
    first = next((row for row in table if row.prediction is not None), None)
    if first is not None and not first.has_scores:
        raise JudgeError(
            f"--gate {gate}",
            found="predictions without scores",
            expected="columns score_EMOTION, or one named score",
            advice="Use --gate all or --gate conflict.",
        )


def compare(seen: "list[tuple[str, Verdict]]", path: Path) -> None:
    """Say on stderr what refinement did to the utterances that have labels."""
    from emojudge.evaluation.labels import label_of, read_labels
    from emojudge.judge.figures import changes_in_words, in_words, of_verdicts

    labels = read_labels(path)
    pairs = [
        (verdict, label) for name, verdict in seen if (label := label_of(labels, name)) and label.emotion
    ]
    if not pairs:
        say(f"{path}: none of the rows has an emotion there")
        return
    speakers = [label.speaker or "" for _, label in pairs]
    emotions = [label.emotion for _, label in pairs if label.emotion]
    figures = of_verdicts([v for v, _ in pairs], emotions, speakers if all(speakers) else None)
    say(in_words("macro-F1", figures["macro_f1"]))
    say(changes_in_words(figures))


# ------------------------------------------------------------------------------------------------------ rows


def _write_jsonl(judged: "Judged", file: TextIO) -> None:
    for row, verdict in judged:
        file.write(_record(row, verdict) + "\n")
        file.flush()


def _write_json(judged: "Judged", file: TextIO) -> None:
    from emojudge.cli.output import write_list

    write_list((_record(row, verdict) for row, verdict in judged), file)


def _record(row: "Row", verdict: "Verdict | None") -> str:
    told = row.cells | {"verdict": verdict.model_dump(mode="json") if verdict else None}
    return json.dumps(told, ensure_ascii=False)


def _write_csv(judged: "Judged", file: TextIO) -> None:
    from emojudge.rows import COLUMNS, verdict_cells

    writer: csv.DictWriter[str] | None = None
    for row, verdict in judged:
        cells = _flat(row.cells)
        if writer is None:
            added = [column for column in COLUMNS if column.startswith("verdict_") and column not in cells]
            writer = csv.DictWriter(file, [*cells, *added], restval="", extrasaction="ignore")
            writer.writeheader()
        writer.writerow(cells | (verdict_cells(verdict) if verdict else {}))
        file.flush()


def _flat(cells: dict[str, Any]) -> dict[str, Any]:
    """A row of JSONL as cells: what is nested in it as JSON."""
    nested = (dict, list)
    return {
        name: json.dumps(value, ensure_ascii=False) if isinstance(value, nested) else value
        for name, value in cells.items()
    }


def _write_table(judged: "Judged", file: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from emojudge.cli.table import verdict_line

    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in ("id", "emotion", "verdict"):
        table.add_column(column, overflow="fold")
    for row, verdict in judged:
        if verdict is None:
            table.add_row(Text(printable(row.id)), Text("—"), Text(printable(row.error or "no prediction")))
        else:
            bold = "bold" if verdict.changed else ""
            table.add_row(Text(printable(row.id)), Text(verdict.emotion, bold), Text(verdict_line(verdict)))
    console = Console(file=file, width=None if file.isatty() else 100, highlight=False, emoji=False)
    console.print(table)


WRITERS: dict[Format, Callable[["Judged", TextIO], None]] = {
    Format.TABLE: _write_table,
    Format.JSON: _write_json,
    Format.JSONL: _write_jsonl,
    Format.CSV: _write_csv,
}
