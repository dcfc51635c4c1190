"""How far work is, on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from emojudge.cli.messages import say
from emojudge.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

LOG_SECONDS = 60.0  # between two lines where there is no terminal for a bar


@contextmanager
def bar(label: str, total: int | None, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar for as long as the work lasts; gives what moves it on by so many. Without a total, it counts."""
    if not shown:
        yield lambda steps: None
        return
    with _rich(label, transient=True, redirect_stdout=False) as rich:
        task = rich.add_task(label, total=total)
        yield lambda steps: rich.advance(task, steps)


@contextmanager
def shown(name: str) -> Iterator[Progress]:
    """Shows work in stages: as a bar on a terminal, elsewhere as a line at times and at a stage's end."""
    if not sys.stderr.isatty():
        last = -LOG_SECONDS

        def log(done: int, total: int, text: str) -> None:
            nonlocal last
            if time.monotonic() - last >= LOG_SECONDS or done == total:
                last = time.monotonic()
                say(f"{name}: {done} of {total}, {text}")

        yield log
        return
    from rich.progress import TextColumn

    with _rich(name, TextColumn("{task.description}")) as rich:
        task = rich.add_task("reading the corpora", total=None)
        yield lambda done, total, text: rich.update(task, completed=done, total=total, description=text)


def _rich(label: str, *more: "ProgressColumn", **options: bool) -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), *more)
    return Bar(*columns, console=Console(stderr=True), **options)  # type: ignore[arg-type]
