"""`emojudge reproduce`: the paper's two tables, ours beside theirs."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from emojudge.cli import judge_options as o
from emojudge.cli.choices import Summary, WeightsFolder
from emojudge.cli.messages import printable, say
from emojudge.cli.progress import shown

if TYPE_CHECKING:
    from emojudge.challenge.reproduce import Result

PLUMBING = (
    "PLUMBING ONLY: small random encoders in the place of the paper's. These figures show that every row "
    "runs; they say nothing about the systems."
)
NOTES = (
    "Ours: value [95 % interval, speakers drawn with replacement]. dev is Development without Dev-2, the "
    "paper's validation; fusions are fitted on it, so its fused figures are of fits on other speakers."
)
TITLES = {"emotion": "Task 1: emotions", "attributes": "Task 2: attributes (CCC)"}


class Scale(StrEnum):
    """The size of the systems."""

    TINY = "tiny"
    FULL = "full"


def reproduce(
    corpus: Annotated[
        Path, typer.Option(metavar="DIR", help="A copy of MSP-Podcast.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Where everything goes; one that has begun goes on.",
            show_default=False,
        ),
    ],
    rows: Annotated[
        list[str] | None, typer.Option("--row", "--rows", help="A row by name; may be repeated.")
    ] = None,
    scale: Annotated[
        Scale, typer.Option(help="tiny: small random encoders, to see that all of it runs; no results.")
    ] = Scale.FULL,
    weights: WeightsFolder = None,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge", "-j", metavar="NAME",
            help="The language model of the refined rows, as 'emojudge judge' names it; echo where tiny.",
            show_default=False,
        ),
    ] = None,
    settings: o.SettingsFile = None,
    max_cost: o.MaxCost = None,
    redact: o.Redact = False,
    batch: o.Batch = False,
    layout: Annotated[
        Summary | None,
        typer.Option("--format", "-f", help="Default: table on a terminal, else json.", show_default=False),
    ] = None,
) -> None:  # fmt: skip
    """Train, fuse and score the systems of the paper's tables; print its figures beside ours.

    Needs the extras 'train' and 'judge'. Stopped, even by force, the same command goes on.
    Without --judge the refined rows are not run. Exit code 1 if a row failed.
    """
    from emojudge.challenge.systems import select
    from emojudge.cli.extras import needing
    from emojudge.training.memory import keep_freed_memory

    chosen = select(rows)
    keep_freed_memory()
    with needing("train", "emojudge reproduce"):
        from transformers.utils import logging

        from emojudge.challenge.refine import Options
        from emojudge.challenge.reproduce import Reproduction
        from emojudge.judge.settings import Settings
    transformers: Any = logging  # without types
    transformers.disable_progress_bar()  # of every model that is read or written; one bar is enough
    name = judge or ("echo" if scale is Scale.TINY else None)
    asked = None
    if name is not None:
        asked = Options(name, Settings.read(settings) if settings else None, max_cost, redact, batch)
    with shown("reproduce") as progress:
        size: Literal["tiny", "full"] = "tiny" if scale is Scale.TINY else "full"
        done = Reproduction(corpus, output, size, weights, progress, asked).run(chosen)
    summary = layout or (Summary.TABLE if sys.stdout.isatty() else Summary.JSON)
    if summary is Summary.JSON:
        typer.echo(
            json.dumps({"plumbing": scale is Scale.TINY, "rows": [_record(r) for r in done]}, indent=1)
        )
    else:
        for line in _lines(done, scale):
            typer.echo(line)
    failed = [result for result in done if result.error]
    for result in failed:
        say(f"{result.system.name}: {result.error}")
    if failed:
        raise typer.Exit(1)


def _record(result: "Result") -> dict[str, Any]:
    from emojudge.challenge.systems import FIGURES

    system = result.system
    names = FIGURES[system.task]
    ours = {}
    for split, made in result.figures.items():
        figures = [{"value": i.value, "low": i.low, "high": i.high} for i in made]
        ours[split] = dict(zip(names, figures, strict=True))
    return {
        "row": system.name,
        "title": system.title,
        "task": system.task,
        "ours": ours,
        "items": result.items,
        "paper": {split: dict(zip(names, given, strict=True)) for split, given in system.paper.items()},
        "judged": dict(result.judged),
        "gains": {
            split: {"value": d.gain, "low": d.low, "high": d.high, "p": d.p}
            for split, d in result.gains.items()
        },
        "note": result.note,
        "error": result.error,
    }


def _lines(done: "list[Result]", scale: Scale) -> list[str]:
    from emojudge.challenge.systems import FIGURES

    marked = [PLUMBING, ""] if scale is Scale.TINY else []
    lines = [*marked]
    for task, title in TITLES.items():
        table = [result for result in done if result.system.task == task]
        if not table:
            continue
        names = FIGURES[task]  # type: ignore[index]
        lines += [title, f"{'':8}{'n':>6}  " + "".join(f"{n:26}{'paper':8}" for n in names).rstrip()]
        for result in table:
            system = result.system
            lines.append(f"{system.title}  ({system.name})")
            for split in dict.fromkeys((*result.figures, *system.paper)):
                made, given = result.figures.get(split), system.paper.get(split)
                cells = []
                for at in range(len(names)):
                    i = made[at] if made else None
                    ours = f"{i.value:.4f} [{i.low:.3f}, {i.high:.3f}]" if i else "–"
                    cells.append(f"{ours:26}" + f"{f'{given[at]:.4f}' if given else '–':8}")
                lines.append(f"  {split:6}{result.items.get(split, '–'):>6}  " + "".join(cells).rstrip())
            if result.gains:
                told = (f"{s} {d.gain:+.4f} [{d.low:+.3f}, {d.high:+.3f}]" for s, d in result.gains.items())
                lines.append(f"  macro-F1 gained by refinement, paired: {', '.join(told)}")
            if result.note or result.error:
                lines.append(
                    f"  {'failed: ' if result.error else ''}{printable(result.error or result.note)}"
                )
        lines.append("")
    return [*lines, NOTES, *marked[:1]]
