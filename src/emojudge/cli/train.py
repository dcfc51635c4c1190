"""`emojudge train`: a recipe in, a trained model in a run folder out."""

import dataclasses
import json
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emojudge.cli.choices import DataFolder, Summary, WeightsFolder
from emojudge.cli.messages import say
from emojudge.cli.progress import shown
from emojudge.progress import Progress, untold

if TYPE_CHECKING:
    from emojudge.recipe import Recipe


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
        with shown(settings.name) if first else nullcontext(untold) as progress:
            metrics = _train(settings, data, output, weights, progress, cache, start_from)
    except KeyboardInterrupt:
        say(f"interrupted; the same command goes on from the last checkpoint in {output}")
        raise typer.Exit(130) from None
    if first:
        took = time.monotonic() - started
        say(f"trained {settings.name} in {took:.0f} s; the best parameters are in {output}")
        _print(metrics, layout)


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
    progress: Progress,
    cache: Path | None,
    start_from: Path | None,
) -> dict[str, float]:
    from emojudge.cli.extras import needing

    with needing("train", "emojudge train"):
        from emojudge.training import run
    return run.train(recipe, data, output, weights, progress, cache, start_from).metrics
