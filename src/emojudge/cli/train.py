"""`emojudge train`: a recipe in, a trained model in a run folder out."""

import dataclasses
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emojudge.cli.choices import DataFolder, Summary, WeightsFolder
from emojudge.cli.messages import say

if TYPE_CHECKING:
    from emojudge.recipe import Recipe

LOG_SECONDS = 60.0  # between two lines of progress where there is no terminal for a bar


def train(
    recipe: Annotated[Path, typer.Argument(help="What to train: a YAML recipe.", show_default=False)],
    data: DataFolder,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="The run's own folder; one that has begun goes on.",
            show_default=False,
        ),
    ] = None,
    weights: WeightsFolder = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where what a recipe has cached is kept, frames or audio; runs may share it. "
            "Default: in the run folder.",
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A finished run, whose parameters this one begins with."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only measure a few steps: items, memory, time in all. Keeps nothing."
        ),
    ] = False,
    layout: Annotated[
        Summary | None,
        typer.Option("--format", "-f", help="Default: table on a terminal, else json.", show_default=False),
    ] = None,
) -> None:
    """Train one model; print the best epoch's figures on the validation split.

    Needs the extra 'train'. Stopped, even by force, the same command goes on from the last checkpoint.
    Several graphics cards: torchrun --nproc-per-node 4 --no-python emojudge train ...
    """
    from emojudge.recipe import Recipe
    from emojudge.training.memory import keep_freed_memory

    if output is None and not dry_run:
        raise typer.BadParameter("say with --output where the run folder is to be")
    keep_freed_memory()
    settings = Recipe.read(recipe)
    first = os.environ.get("RANK", "0") == "0"  # of torchrun's processes, the one that is heard
    if output is None or dry_run:
        figures = _rehearse(settings, data, weights)
        if first:
            _print(figures, layout)
        return
    started = time.monotonic()
    try:
        with shown(settings.name) if first else nullcontext(_unheard) as progress:
            metrics = _train(settings, data, output, weights, progress, cache, start_from)
    except KeyboardInterrupt:
        say(f"interrupted; the same command goes on from the last checkpoint in {output}")
        raise typer.Exit(130) from None
    if first:
        took = time.monotonic() - started
        say(f"trained {settings.name} in {took:.0f} s; the best parameters are in {output}")
        _print(metrics, layout)


def _unheard(done: int, steps: int, text: str) -> None:
    """Progress of a process that is not the first."""


def _print(figures: dict[str, float], layout: Summary | None) -> None:
    summary = layout or (Summary.TABLE if sys.stdout.isatty() else Summary.JSON)
    if summary is Summary.JSON:
        typer.echo(json.dumps(figures))
        return
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        shown = f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
        typer.echo(f"{name:{width}}  {shown}")


def _rehearse(recipe: "Recipe", data: Path, weights: Path | None) -> dict[str, float]:
    from emojudge.cli.extras import needing

    with needing("train", "emojudge train"):
        from emojudge.training import rehearsal
    return dataclasses.asdict(rehearsal.rehearse(recipe, data, weights))


def _train(
    recipe: "Recipe",
    data: Path,
    output: Path,
    weights: Path | None,
    progress: Callable[[int, int, str], None],
    cache: Path | None,
    start_from: Path | None,
) -> dict[str, float]:
    from emojudge.cli.extras import needing

    with needing("train", "emojudge train"):
        from emojudge.training import run
    return run.train(recipe, data, output, weights, progress, cache, start_from).metrics


@contextmanager
def shown(name: str) -> Iterator[Callable[[int, int, str], None]]:
    """Shows progress on stderr: as a bar on a terminal, elsewhere as a line from time to time."""
    if not sys.stderr.isatty():
        last = -LOG_SECONDS

        def log(done: int, steps: int, text: str) -> None:
            nonlocal last
            if time.monotonic() - last >= LOG_SECONDS or done == steps:
                last = time.monotonic()
                say(f"{name}: step {done} of {steps}, {text}")

        yield log
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True)) as bar:
        task = bar.add_task("reading the corpora", total=None)
        yield lambda done, steps, text: bar.update(task, completed=done, total=steps, description=text)
