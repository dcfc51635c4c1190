"""An evaluation on a terminal, as Markdown or as JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from emojudge.cli.choices import Format, Report
from emojudge.cli.messages import printable
from emojudge.cli.output import opened

if TYPE_CHECKING:
    from emojudge.evaluation.report import Evaluated
    from emojudge.evaluation.tables import Table

WIDTH = 110  # columns of a table that goes to a file or a pipe


def write(found: "Evaluated", layout: Report, output: Path | None) -> None:
    """Write an evaluation to stdout or to a file that is whole or not there."""
    from emojudge.evaluation.tables import tables

    write_tables(tables(found), notes(found), found.as_dict(), layout, output)


def write_tables(
    tables: "Sequence[Table]", lines: Sequence[str], data: Any, layout: Report, output: Path | None
) -> None:
    """Tables and lines for people, or the data as JSON."""
    with opened(output, Format.JSON if layout is Report.JSON else Format.TABLE) as file:
        if layout is Report.JSON:
            json.dump(data, file, indent=1, ensure_ascii=False)
            file.write("\n")
        elif layout is Report.MARKDOWN:
            file.write(markdown(tables, lines))
        else:
            print_tables(tables, lines, file)


def notes(found: "Evaluated") -> list[str]:
    """What does not fit, and how labels were read, a line each."""
    lines = [str(note) if note.count else f"No {note.text}" for note in found.evaluation.notes]
    mapped = [
        f"{emotion} ← {', '.join(f'{name} ({count})' for name, count in names.items())}"
        for emotion, names in found.label_map.items()
        if emotion != "none" and set(names) != {emotion}
    ]
    return lines + ([f"Labels as read: {'; '.join(mapped)}"] if mapped else [])


def markdown(tables: "Sequence[Table]", lines: Sequence[str]) -> str:
    """Tables in GitHub's Markdown."""
    parts = []
    for table in tables:
        rows = [table.header, ["---"] * len(table.header), *table.rows]
        parts.append(f"## {_cell(table.title)}\n")
        parts += [f"| {' | '.join(map(_cell, row))} |" for row in rows]
        parts.append(f"\n{table.note}\n" if table.note else "")
    parts += [f"- {_cell(line)}" for line in lines]
    return "\n".join(parts).rstrip() + "\n"


def print_tables(tables: "Sequence[Table]", lines: Sequence[str], file: TextIO) -> None:
    """Tables for people at a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(file=file, highlight=False, emoji=False, width=None if file.isatty() else WIDTH)
    for table in tables:
        console.print(Text(printable(table.title), style="bold"))
        shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for number, name in enumerate(table.header):
            shown.add_column(Text(name), overflow="fold", justify="left" if number == 0 else "right")
        for row in table.rows:
            shown.add_row(*(Text(printable(cell)) for cell in row))
        console.print(shown)
        if table.note:
            console.print(Text(table.note, style="dim"))
        console.print()
    for line in lines:
        console.print(Text(printable(line)))


def _cell(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
