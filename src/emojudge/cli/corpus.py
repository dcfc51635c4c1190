"""`emojudge corpus`: what is wrong with a copy, what is in it, and how to divide it."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emojudge.cli.choices import Tabular
from emojudge.cli.messages import count, printable, say, warnings_said
from emojudge.cli.progress import shown

if TYPE_CHECKING:
    from emojudge.corpora.findings import Finding
    from emojudge.corpora.statistics import SplitCounts
    from emojudge.records import Utterance

EXAMPLES = 3  # of what a finding is about, in a table; JSON and CSV have all

app = typer.Typer(no_args_is_help=True)

Folder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The copy's folder, or a table's file.", show_default=False)
]
Corpus = Annotated[
    str, typer.Option(metavar="NAME", help="Which corpus it is: msp_podcast, crema_d, table ...")
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="OURS=THEIRS",
        help="For a table: one of its columns by our name, such as emotion=EmoClass; may be repeated.",
    ),
]
Layout = Annotated[
    Tabular | None,
    typer.Option("--format", "-f", help="Default: table on a terminal, else json.", show_default=False),
]


@app.command("check")
def check(
    folder: Folder,
    corpus: Corpus = "msp_podcast",
    columns: Columns = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode every recording, and read every alignment.")
    ] = False,
    layout: Layout = None,
) -> None:
    """Say what is missing or odd in a copy, before hours are spent on it. Exit code 1 for faults.

    Headers, labels, lists and transcripts are read; nothing is changed.
    """
    from emojudge.corpora.check import check as look

    with warnings_said(), shown("check") as progress:
        findings = look(corpus, folder, deep=deep, progress=progress, **_options(columns))
    _print_findings(findings, _chosen(layout))
    faults = [finding for finding in findings if finding.level == "fault"]
    if faults:
        say(f"{count(len(faults), 'kind')} of fault, {sum(len(fault.items) for fault in faults)} in all")
        raise typer.Exit(1)
    say("no fault found" + ("" if deep else "; --deep decodes the recordings as well"))


@app.command("stats")
def stats(
    folder: Folder, corpus: Corpus = "msp_podcast", columns: Columns = None, layout: Layout = None
) -> None:
    """Count the utterances of each emotion in each split, as in Table 1 of the paper."""
    from emojudge.corpora.statistics import count as counted

    counts = counted(_load(corpus, folder, columns))
    chosen = _chosen(layout)
    if chosen is Tabular.JSON:
        typer.echo(json.dumps({split: counts[split].figures() for split in counts}, indent=1))
    elif chosen is Tabular.CSV:
        _write_csv(
            ("split", "class", "count"), ((s, *row) for s in counts for row in counts[s].figures().items())
        )
    else:
        _print_counts(counts)


@app.command("split")
def split(
    folder: Folder,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The manifest to write, a .csv.", show_default=False
        ),
    ],
    corpus: Corpus = "msp_podcast",
    columns: Columns = None,
    folds: Annotated[
        int | None, typer.Option(metavar="N", help="Divide the speakers into so many folds instead.", min=2)
    ] = None,
    source: Annotated[
        str, typer.Option("--from", metavar="SPLIT", help="The split that Dev-2 is taken of.")
    ] = "dev",
    per_class: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How many of each emotion Dev-2 has; by default half of the rarest.",
            min=1,
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws others.", min=0)] = 7,
) -> None:
    """Write a manifest with the paper's Dev-2 held out of the development split, or with folds by speaker.

    Dev-2 has as many utterances of each emotion. A recipe reads the manifest with `corpus: table`, and so do
    the other commands.
    """
    from emojudge.corpora import manifest, splits
    from emojudge.errors import EmojudgeError

    if output.suffix.lower() != ".csv":
        raise EmojudgeError(
            output, found=f"the suffix {output.suffix!r}", expected="a name that ends in .csv"
        )
    utterances = _load(corpus, folder, columns)
    bare = [u.id for u in utterances if u.audio is None and u.transcript is None]
    if bare:
        say(f"left out {count(len(bare), 'utterance')} with neither recording nor transcript")
        utterances = [u for u in utterances if u.audio is not None or u.transcript is not None]
    if folds is not None:
        divided = splits.as_folds(utterances, folds, seed)
    else:
        divided = splits.with_dev2(utterances, seed, source=source, per_class=per_class or "half_rarest")
    manifest.write(divided, output)
    sizes: dict[str, int] = {}
    for utterance in divided:
        sizes[utterance.split or "no split"] = sizes.get(utterance.split or "no split", 0) + 1
    for name in sorted(sizes):
        say(f"{name}: {count(sizes[name], 'utterance')}")
    say(f"wrote {output}")


def _load(corpus: str, folder: Path, columns: list[str] | None) -> "list[Utterance]":
    from emojudge.corpora import load_corpus

    with warnings_said():
        return load_corpus(corpus, folder, **_options(columns))


def _options(columns: list[str] | None) -> dict[str, dict[str, str]]:
    """What the reader is told beside the folder.

    Raises:
        EmojudgeError: a column without `=`.
    """
    from emojudge.errors import EmojudgeError

    if not columns:
        return {}
    for column in columns:
        if "=" not in column:
            raise EmojudgeError("--column", found=repr(column), expected="OURS=THEIRS, as emotion=EmoClass")
    return {"columns": dict(column.split("=", 1) for column in columns)}


def _chosen(layout: Tabular | None) -> Tabular:
    return layout or (Tabular.TABLE if sys.stdout.isatty() else Tabular.JSON)


def _write_csv(header: tuple[str, ...], rows: "Iterator[tuple[object, ...]]") -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(header)
    writer.writerows(rows)


def _print_findings(findings: "list[Finding]", layout: Tabular) -> None:
    if layout is Tabular.JSON:
        rows = [
            {
                "kind": f.kind,
                "level": f.level,
                "count": len(f.items),
                "expected": f.expected,
                "items": f.items,
            }
            for f in findings
        ]
        typer.echo(json.dumps(rows, indent=1))
    elif layout is Tabular.CSV:
        _write_csv(("level", "kind", "item"), ((f.level, f.kind, item) for f in findings for item in f.items))
    else:
        for finding in findings:
            expected = "expected " if finding.level == "fault" else ""
            typer.echo(f"{finding.level}: {finding.kind}: {len(finding.items)}; {expected}{finding.expected}")
            for item in finding.items[:EXAMPLES]:
                typer.echo(f"    {printable(item)}")
            if len(finding.items) > EXAMPLES:
                typer.echo(f"    and {len(finding.items) - EXAMPLES} more; --format csv lists them")


def _print_counts(counts: "dict[str, SplitCounts]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from emojudge.emotions import EMOTIONS

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for name in counts:
        table.add_column(Text(printable(name)), justify="right")
    figures = {name: split.figures() for name, split in counts.items()}
    rows = list(dict.fromkeys(row for split in figures.values() for row in split))
    after_total = ("utterances", "speakers", "recordings", "transcripts")
    for row in [*(r for r in rows if r not in after_total), *after_total]:
        cells = [f"{figures[name].get(row, 0):,}" for name in counts]
        if row in EMOTIONS:
            cells = [
                f"{cell}  {split.percent(row):6.2f} %"
                for cell, split in zip(cells, counts.values(), strict=True)
            ]
        table.add_row(Text(printable(row)), *cells, end_section=row == "neutral")
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, highlight=False).print(table)
