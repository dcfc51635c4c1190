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
from typing import TextIO

from emojudge.cli.choices import Format
from emojudge.cli.messages import say
from emojudge.cli.table import write_table
from emojudge.errors import EmojudgeError
from emojudge.records import Failure, Prediction
from emojudge.rows import COLUMNS, row

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
