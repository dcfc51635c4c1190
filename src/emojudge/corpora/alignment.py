"""Word alignments in Praat's TextGrid format: how fast somebody speaks."""

import re
from collections.abc import Iterator
from pathlib import Path

from emojudge.errors import CorpusError

_EXPECTED = "a TextGrid with a tier of words"
_MARKS = frozenset({"", "sil", "sp", "spn", "<eps>", "<sil>", "<unk>"})  # of aligners: silence, no word
# Praat reads free-standing numbers, quoted texts and flags, and takes all else for remarks; so its long and
# its short format are one.
_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<!\S)(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|<exists>|<absent>)(?!\S)')


def words_per_second(path: Path) -> float | None:
    """Words by seconds from the first one's start to the last one's end; None without words.

    Args:
        path: a TextGrid, long or short format, UTF-8 or UTF-16, such as the Montreal Forced Aligner's. The
            tier is the one called `words`, or `SPEAKER - words`; without such, the first.

    Raises:
        CorpusError: it cannot be read, or is no TextGrid.
    """
    words = [(start, end) for start, end, text in _words(path) if text.strip().lower() not in _MARKS]
    if not words:
        return None
    seconds = words[-1][1] - words[0][0]
    if seconds <= 0:
        raise CorpusError(path, found=f"{len(words)} words in {seconds:g} s", expected=_EXPECTED)
    return len(words) / seconds


def _words(path: Path) -> list[tuple[float, float, str]]:
    """Start and end in seconds and the text of each interval of the tier of words."""
    try:
        tiers = list(_tiers(_tokens(path)))
    except (StopIteration, RuntimeError, ValueError) as error:  # a generator turns the former into the latter
        raise CorpusError(
            path, found="a TextGrid that ends early or is damaged", expected=_EXPECTED
        ) from error
    named = [tier for name, tier in tiers if name.lower().split(" - ")[-1] == "words"]
    if not tiers:
        raise CorpusError(path, found="no tier of intervals", expected=_EXPECTED)
    return named[0] if named else tiers[0][1]


def _tokens(path: Path) -> Iterator[str]:
    try:
        content = path.read_bytes()
        text = content.decode("utf-16" if content[:2] in (b"\xfe\xff", b"\xff\xfe") else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(path, found=str(error), expected=_EXPECTED) from error
    tokens = (
        match[2] if match[1] is None else match[1].replace('""', '"') for match in _TOKEN.finditer(text)
    )
    if [next(tokens, ""), next(tokens, "")] != ["ooTextFile", "TextGrid"]:
        raise CorpusError(path, found="another kind of file", expected=_EXPECTED)
    return tokens


def _tiers(tokens: Iterator[str]) -> Iterator[tuple[str, list[tuple[float, float, str]]]]:
    """Name and intervals of each interval tier; tiers of points are passed over."""
    next(tokens), next(tokens), next(tokens)  # start, end, whether there are tiers
    for _ in range(int(next(tokens))):
        kind, name, _, _ = next(tokens), next(tokens), next(tokens), next(tokens)
        count = int(next(tokens))
        if kind == "IntervalTier":
            yield name, [(float(next(tokens)), float(next(tokens)), next(tokens)) for _ in range(count)]
        else:
            for _ in range(2 * count):
                next(tokens)
