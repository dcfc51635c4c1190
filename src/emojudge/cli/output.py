"""Predictions as JSON, JSON lines and CSV, to stdout or to a file that is whole or not there.

CSV cells hold the data as they are, so that what reads the file gets back what was written: a transcript that
begins with `=` is not changed, though a spreadsheet may take it for a formula. Import such a file as text.
"""

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from emojudge.cli.choices import Format
from emojudge.cli.messages import say
from emojudge.cli.table import write_table
from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.errors import EmojudgeError
from emojudge.records import Failure, Opinion, Prediction, Verdict

Result = Prediction | Failure


SUFFIXES = {".json": Format.JSON, ".jsonl": Format.JSONL, ".csv": Format.CSV, ".txt": Format.TABLE}


def choose_format(chosen: Format | None, output: Path | None) -> Format:
    """The format that was asked for, else the file's by its suffix, else one for who reads stdout.

    Raises:
        EmojudgeError: a file with a suffix that says nothing.
    """
    if chosen is not None:
        return chosen
    if output is None:
        return Format.TABLE if sys.stdout.isatty() else Format.JSONL
    if output.suffix.lower() not in SUFFIXES:
        raise EmojudgeError(
            output,
            found=f"the suffix {output.suffix!r}",
            expected=f"one of {', '.join(SUFFIXES)}, or --format",
        )
    return SUFFIXES[output.suffix.lower()]


@contextmanager
def opened(output: Path | None, layout: Format) -> Iterator[TextIO]:
    """Where results go: stdout, or a file that takes its name when it is complete.

    Until then it is `NAME.partial`. It stays there when the work is interrupted, so that what was done is not
    lost, and a file that was there under the name before stays as it was.
    """
    if output is None:
        if hasattr(sys.stdout, "reconfigure"):
            if layout is Format.TABLE:
                sys.stdout.reconfigure(errors="replace")
            else:
                sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        yield sys.stdout
        sys.stdout.flush()
        return
    target = Path(os.path.realpath(output))
    partial = target.with_name(target.name + ".partial")
    try:
        if target.exists() and not target.is_file():
            raise EmojudgeError(output, found="no regular file", expected="the name of a file to write")
        file = partial.open("w", encoding="utf-8", newline="\n")
    except OSError as error:
        raise EmojudgeError(
            output, found=str(error.strerror), expected="a file in a folder to write in"
        ) from error
    try:
        with file:
            yield file
        os.replace(partial, target)
    except BaseException:
        if partial.stat().st_size:
            say(f"what was done is in {partial}")
        else:
            partial.unlink()
        raise


def write(results: Iterable[Result], file: TextIO, layout: Format) -> None:
    """Write results as they come; a table, which needs them all, when there are no more."""
    _WRITERS[layout](results, file)


def row(result: Result) -> dict[str, Any]:
    """A result as a flat row; cells of what there is not are empty."""
    if isinstance(result, Failure):
        return {"id": result.id, "error": result.error}
    cells: dict[str, Any] = {"id": result.id, "emotion": result.emotion}
    cells |= {f"score_{emotion}": score for emotion, score in result.scores.items()}
    cells |= result.attributes.model_dump()
    cells |= {f"{name}_from": origin for name, origin in result.attributes_from.items()}
    for name, opinion in (("audio", result.audio), ("text", result.text)):
        cells |= _opinion_cells(name, opinion) if opinion else {}
    if result.transcript:
        cells |= {"transcript": result.transcript.text, "transcript_source": result.transcript.source}
    return cells | {
        "modalities": "+".join(result.modalities),
        "seconds": result.seconds,
        "adapted": result.adapted,
        "bundle": result.bundle,
        "notes": "; ".join(result.notes),
        **(verdict_cells(result.verdict) if result.verdict else {}),
    }


def verdict_cells(verdict: Verdict) -> dict[str, Any]:
    """A verdict's cells; the others of its row stay as the recogniser had them."""
    cells: dict[str, Any] = {"verdict_emotion": verdict.emotion, "verdict_status": verdict.status}
    cells |= {"verdict_proposed": verdict.proposed, "verdict_confidence": verdict.confidence}
    cells |= {
        "verdict_reason": verdict.reason,
        "verdict_provider": verdict.provider,
        "verdict_model": verdict.model,
    }
    cells |= {f"verdict_score_{emotion}": score for emotion, score in verdict.scores.items()}
    attributes = verdict.attributes.model_dump() if verdict.attributes else {}
    cells |= {f"verdict_{name}": attributes.get(name) for name in ATTRIBUTES}
    return cells | {"verdict_notes": "; ".join(verdict.notes)}


def _opinion_cells(name: str, opinion: Opinion) -> dict[str, float]:
    return {
        **{f"{name}_score_{emotion}": score for emotion, score in opinion.scores.items()},
        **{f"{name}_logit_{emotion}": logit for emotion, logit in opinion.logits.items()},
        **{f"{name}_{attribute}": value for attribute, value in opinion.attributes.model_dump().items()},
    }


def _columns() -> list[str]:
    def opinion(name: str) -> list[str]:
        scores = [f"{name}_{kind}_{emotion}" for kind in ("score", "logit") for emotion in EMOTIONS]
        return scores + [f"{name}_{attribute}" for attribute in ATTRIBUTES]

    verdict = ("emotion", "status", "proposed", "confidence", "reason", "provider", "model")
    return [
        *("id", "emotion", *(f"score_{emotion}" for emotion in EMOTIONS)),
        *(*ATTRIBUTES, *(f"{name}_from" for name in ATTRIBUTES)),
        *(*opinion("audio"), *opinion("text")),
        *("modalities", "transcript", "transcript_source", "seconds", "adapted", "bundle", "notes"),
        *(f"verdict_{name}" for name in (*verdict, *(f"score_{emotion}" for emotion in EMOTIONS))),
        *(f"verdict_{name}" for name in (*ATTRIBUTES, "notes")),
        "error",
    ]


COLUMNS = _columns()


def _write_jsonl(results: Iterable[Result], file: TextIO) -> None:
    for result in results:
        file.write(result.model_dump_json() + "\n")
        file.flush()


def _write_json(results: Iterable[Result], file: TextIO) -> None:
    write_list((result.model_dump_json() for result in results), file)


def write_list(records: Iterable[str], file: TextIO) -> None:
    """Write records, which are JSON, as one list; an interrupted one is a list of what was done."""
    begun = False
    try:
        for record in records:
            file.write((",\n" if begun else "[\n") + record)
            begun = True
    finally:
        file.write("\n]\n" if begun else "")


def _write_csv(results: Iterable[Result], file: TextIO) -> None:
    writer = csv.DictWriter(
        file, COLUMNS, restval=""
    )  # lines end in CR LF: RFC 4180, and so either is quoted
    for index, result in enumerate(results):
        if index == 0:
            writer.writeheader()
        writer.writerow(row(result))
        file.flush()


_WRITERS: dict[Format, Callable[[Iterable[Result], TextIO], None]] = {
    Format.TABLE: write_table,
    Format.JSON: _write_json,
    Format.JSONL: _write_jsonl,
    Format.CSV: _write_csv,
}
