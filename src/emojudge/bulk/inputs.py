"""What a bulk run is asked to predict: recordings below an address, or the rows of a manifest."""

import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from emojudge.audio.suffixes import AUDIO_SUFFIXES
from emojudge.bulk.storage import Storage
from emojudge.corpora.table import read_cells
from emojudge.corpora.tabular import SUFFIXES
from emojudge.errors import CorpusError, EmojudgeError
from emojudge.records import Record


class Input(Record):
    """A recording at an address, words, or both; or a manifest's row that is neither, with its error."""

    id: str
    url: str | None = None
    transcript: str | None = None
    language: str | None = None
    speaker: str | None = None
    error: str | None = None


def gather(sources: Sequence[str]) -> list[Input]:
    """The inputs that addresses stand for, each id once.

    Args:
        sources: files, folders and globs, local or by any scheme that fsspec has (`s3://`, `gs://`,
            `https://` ...), and manifests (`.csv`, `.tsv`, `.jsonl`, `.parquet`; columns as in
            `corpora.table`), whose files are addresses or lie relative to the manifest.

    Raises:
        EmojudgeError: an address with nothing to predict, or storage that cannot be read.
        MissingExtraError: storage whose package is not installed.
    """
    found: dict[str, Input] = {}
    for source in sources:
        empty = True
        for each in _of(source):
            empty = False
            same = found.get(each.id)
            if same is None or same != each:  # named twice is predicted once
                name = each.id if same is None else f"{source}:{each.id}"
                found[name] = each.model_copy(update={"id": name})
        if empty:
            raise EmojudgeError(
                source, found="nothing to predict", expected="recordings or a manifest's rows"
            )
    return list(found.values())


def _of(source: str) -> Iterator[Input]:
    storage = Storage.at(source)
    if posixpath.splitext(storage.root)[1].lower() in SUFFIXES:
        yield from _rows(storage, source)
        return
    for path in storage.files(lambda name: posixpath.splitext(name)[1].lower() in AUDIO_SUFFIXES):
        url = storage.address(path)
        yield Input(id=url, url=url)


def _rows(storage: Storage, source: str) -> Iterator[Input]:
    with tempfile.TemporaryDirectory(prefix="emojudge-") as folder:
        copy = Path(folder) / posixpath.basename(storage.root)
        storage.fetch(storage.root, copy)
        lines: dict[str, int] = {}
        for line, cells in read_cells(copy):
            where = f"{source}:{line}"
            row = (
                Input(id=where, error=str(cells).replace(str(copy), source))
                if isinstance(cells, CorpusError)
                else _row(storage, where, cells)
            )
            if row.id in lines:
                what = f"the id {row.id!r}, which line {lines[row.id]} has too"
                row = Input(id=where, error=str(CorpusError(where, found=what, expected="each id once")))
            lines[row.id] = line
            yield row


def _row(storage: Storage, where: str, cells: dict[str, str]) -> Input:
    file, text = cells.get("file"), cells.get("transcript")
    if not file and not text:
        error = CorpusError(where, found="neither file nor transcript", expected="one of them, or both")
        return Input(id=cells.get("id") or where, error=str(error))
    known: dict[str, Any] = {name: cells.get(name) or None for name in ("transcript", "language", "speaker")}
    url = storage.beside(file) if file else None
    try:
        return Input(id=cells.get("id") or file or where, url=url, **known)
    except ValidationError as error:
        return Input(id=where, error=str(CorpusError(where, found=str(error), expected="text cells")))
