"""Word alignments in Praat's TextGrid format: how fast somebody speaks."""

from pathlib import Path

from emojudge.audio.textgrid import read_textgrid
from emojudge.audio.turns import SILENCES, is_words
from emojudge.errors import CorpusError, TranscriptError

_EXPECTED = "a TextGrid with a tier of words"


def words_per_second(path: Path) -> float | None:
    """Words by seconds from the first one's start to the last one's end; None without words.

    Args:
        path: a TextGrid, long or short format, UTF-8 or UTF-16, such as the Montreal Forced Aligner's. The
            tier is the one called `words`, or `SPEAKER - words`; without such, the first.

    Raises:
        CorpusError: it cannot be read, or is no TextGrid.
    """
    try:
        tiers = read_textgrid(path)
    except TranscriptError as error:
        raise CorpusError(path, found=error.found, expected=_EXPECTED) from error
    tier = next((tier for tier in tiers if is_words(tier)), tiers[0])
    words = [(s, e) for s, e, text in tier.intervals if text.strip().lower() not in SILENCES]
    if not words:
        return None
    seconds = words[-1][1] - words[0][0]
    if seconds <= 0:
        raise CorpusError(path, found=f"{len(words)} words in {seconds:g} s", expected=_EXPECTED)
    return len(words) / seconds
