"""Utterances as one table that `table` and recipes read back: what a split is kept in."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from emojudge.corpora.table import COLUMNS
from emojudge.emotions import ATTRIBUTES, SECONDARY
from emojudge.errors import CorpusError
from emojudge.files import whole
from emojudge.records import Utterance


def write(utterances: Iterable[Utterance], path: Path) -> None:
    """Write a manifest: a CSV file with a row for every utterance, whole or not at all.

    Files are written relative to the manifest's folder. Columns that no utterance has a value for are left
    out. Everything comes back by `table.load` but the times of words, where a transcript has them.

    Raises:
        CorpusError: an utterance with neither audio nor transcript, which no table can hold; a folder that
            cannot be written in.
    """
    rows = [_row(utterance, path.parent) for utterance in utterances]
    columns = [name for name in COLUMNS if any(row.get(name) not in (None, "") for row in rows)]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(
                file, columns, extrasaction="ignore"
            )  # lines end in CR LF: so either is quoted
            writer.writeheader()
            writer.writerows(rows)
    except (OSError, UnicodeEncodeError) as error:
        raise CorpusError(path, found=str(error), expected="a file in a folder to write in") from error


def _row(utterance: Utterance, folder: Path) -> dict[str, object]:
    if utterance.audio is None and utterance.transcript is None:
        raise CorpusError(utterance.id, found="neither audio nor transcript", expected="one of them, or both")
    attributes, ticked = utterance.attributes, utterance.secondary
    return {
        "id": utterance.id,
        "file": _relative(utterance.audio, folder) if utterance.audio else None,
        "speaker": utterance.speaker,
        "gender": utterance.gender,
        "emotion": utterance.emotion,
        **{name: getattr(attributes, name) if attributes else None for name in ATTRIBUTES},
        "transcript": utterance.transcript.text if utterance.transcript else None,
        "language": utterance.language,
        "split": utterance.split,
        "label": utterance.label,
        "intensity": utterance.intensity,
        **{f"vote_{emotion}": share for emotion, share in (utterance.votes or {}).items()},
        "other_votes": utterance.other_votes,
        **({} if ticked is None else {f"secondary_{tag}": ticked.get(tag, 0.0) for tag in SECONDARY}),
        "words_per_second": utterance.words_per_second,
        "recording": utterance.recording,
        "position": utterance.position,
    }


def _relative(path: Path, folder: Path) -> str:
    try:
        return os.path.relpath(path, folder)
    except ValueError:  # another drive
        return str(path.absolute())
