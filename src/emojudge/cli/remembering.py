"""Beside a file that is being written, what was predicted for it: a run that was killed goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from emojudge.cli.messages import count, say

if TYPE_CHECKING:
    from emojudge.recognizer import Recognizer
    from emojudge.remembered import Remembered


@contextmanager
def remembering(
    recognizer: "Recognizer", target: Path | None, language: str | None
) -> "Iterator[Recognizer | Remembered]":
    """What predicts as the recogniser does, but not again what a run before left in `NAME.heard`.

    Without a file there is nothing beside which it could be left.
    """
    from emojudge.remembered import Remembered

    if target is None:
        yield recognizer
        return
    beside = target.with_name(target.name + ".heard")
    try:
        with Remembered(recognizer, beside, language or "") as remembered:
            if len(remembered):
                say(f"{target}: goes on with {count(len(remembered), 'prediction')} of a run before")
            yield remembered
    except BaseException:
        if beside.exists():
            say(f"the same command again goes on with what is in {beside}")
        raise
