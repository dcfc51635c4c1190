"""Praat's TextGrid format: tiers of intervals with text, as annotators and aligners write them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emojudge.errors import TranscriptError

EXPECTED = "a Praat TextGrid with a tier of intervals"
MAX_BYTES = 64 * 2**20
# Praat reads free-standing numbers, quoted texts and flags, and takes all else for remarks; so its long and
# its short format are one.
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|<exists>|<absent>)(?!\S)')


@dataclass(frozen=True)
class Tier:
    """A tier of intervals: start and end in seconds, and the text."""

    name: str
    intervals: tuple[tuple[float, float, str], ...]


def read_textgrid(path: Path) -> list[Tier]:
    """The tiers of intervals of a TextGrid, long or short format, UTF-8 or UTF-16; those of points are left.

    Raises:
        TranscriptError: it cannot be read, is no TextGrid, ends early, or has no tier of intervals.
    """
    try:
        tiers = list(_tiers(_tokens(path)))
    except (StopIteration, RuntimeError, ValueError) as error:  # a generator turns the former into the latter
        raise TranscriptError(
            path, found="a TextGrid that ends early or is damaged", expected=EXPECTED
        ) from error
    if not tiers:
        raise TranscriptError(path, found="no tier of intervals", expected=EXPECTED)
    return tiers


def _tokens(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise TranscriptError(path, found=f"more than {MAX_BYTES >> 20} MB", expected=EXPECTED)
        text = content.decode("utf-16" if content[:2] in (b"\xfe\xff", b"\xff\xfe") else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TranscriptError(path, found=str(error), expected=EXPECTED) from error
    tokens = (
        match[2] if match[1] is None else match[1].replace('""', '"') for match in _TOKEN.finditer(text)
    )
    if [next(tokens, ""), next(tokens, "")] != ["ooTextFile", "TextGrid"]:
        raise TranscriptError(path, found="another kind of file", expected=EXPECTED)
    return tokens


def _tiers(tokens: Iterator[str]) -> Iterator[Tier]:
    next(tokens), next(tokens), next(tokens)  # start, end, whether there are tiers
    for _ in range(int(next(tokens))):
        kind, name, _, _ = next(tokens), next(tokens), next(tokens), next(tokens)
        count = int(next(tokens))
        if kind == "IntervalTier":
            intervals = [(float(next(tokens)), float(next(tokens)), next(tokens)) for _ in range(count)]
            yield Tier(name, tuple(intervals))
        else:
            for _ in range(2 * count):
                next(tokens)
