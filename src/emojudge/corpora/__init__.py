"""Emotion corpora as lists of utterances: readers by name, ours and those of other packages."""

import inspect
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emojudge import plugins
from emojudge.corpora import (
    crema_d,
    emobank,
    emodb,
    emogator,
    goemotions,
    iemocap,
    meld,
    msp_podcast,
    nemo,
    ravdess,
    table,
    xed,
)
from emojudge.corpora.reading import some
from emojudge.errors import CorpusError
from emojudge.records import Utterance

__all__ = ["ENTRY_POINTS", "corpus_names", "load_corpus"]

Reader = Callable[..., list[Utterance]]  # load(folder, **options)

ENTRY_POINTS = "emojudge.corpora"  # other packages add readers by this entry point group
_READERS: dict[str, Reader] = {
    "crema_d": crema_d.load,
    "emobank": emobank.load,
    "emodb": emodb.load,
    "emogator": emogator.load,
    "goemotions": goemotions.load,
    "iemocap": iemocap.load,
    "meld": meld.load,
    "msp_podcast": msp_podcast.load,
    "nemo": nemo.load,
    "ravdess": ravdess.load,
    "table": table.load,
    "xed": xed.load,
}


def corpus_names() -> list[str]:
    """The names that `load_corpus` knows, sorted; those of installed plug-ins among them.

    >>> "emodb" in corpus_names()
    True
    """
    return plugins.names(ENTRY_POINTS, _READERS)


def find_reader(name: str) -> Reader:
    """What reads the corpus of this name.

    Raises:
        CorpusError: an unknown name, or a plug-in that cannot be loaded.
    """
    advice = "Use 'table' for a CSV, TSV, JSONL or Parquet file of your own."
    return plugins.find(ENTRY_POINTS, _READERS, name, CorpusError, advice=advice)


def load_corpus(name: str, folder: Path | str, **options: Any) -> list[Utterance]:
    """All utterances of a corpus, also those whose label is none of the eight emotions (`emotion` None).

    Another package adds a corpus by an entry point in the group `emojudge.corpora`: its name is the corpus's,
    its object a function `load(folder: Path, **options) -> list[Utterance]`. A name of ours cannot be taken
    over.

    Args:
        name: one of `corpus_names()`.
        folder: where the copy lies, laid out as its release has it; for `table` the file itself will do.
        options: what the reader takes beyond the folder, such as `columns` of `table`.

    Raises:
        CorpusError: an unknown name or option, or a copy that is not as its release has it.
    """
    reader = find_reader(name)
    try:
        inspect.signature(reader).bind(Path(folder), **options)
    except TypeError as error:
        taken = list(inspect.signature(reader).parameters)[1:]
        raise CorpusError(
            name, found=f"options {sorted(options)}", expected=f"options of its reader: {taken or 'none'}"
        ) from error
    try:
        utterances = reader(Path(folder), **options)
    except OSError as error:
        raise CorpusError(folder, found=str(error), expected="a folder that can be read") from error
    if not utterances:
        raise CorpusError(folder, found="no utterance", expected=f"the corpus {name!r}")
    _refuse_duplicates(folder, utterances)
    return utterances


def _refuse_duplicates(folder: Path | str, utterances: list[Utterance]) -> None:
    twice = [name for name, count in Counter(u.id for u in utterances).items() if count > 1]
    if twice:
        raise CorpusError(folder, found=f"ids more than once: {some(twice)}", expected="each id once")
