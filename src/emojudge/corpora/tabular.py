"""Tables in files, whatever they hold: rows of CSV, TSV, JSON lines and Parquet; columns by name."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from emojudge.corpora.reading import read_rows, read_text
from emojudge.errors import CorpusError, EmojudgeError, MissingExtraError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def table_rows(table: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Line number and cells by column of every row of a `.csv`, `.tsv`, `.jsonl` or `.parquet` file.

    Raises:
        CorpusError: what cannot be read.
        MissingExtraError: Parquet without the extra 'parquet'.
    """
    return _READERS.get(table.suffix.lower(), _separated)(table)


def _separated(table: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    return read_rows(table, delimiter="\t" if table.suffix.lower() == ".tsv" else ",")


def _jsonl(table: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    for line, text in enumerate(read_text(table).split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{table}:{line}", found=str(error), expected="a JSON object") from error
        if not isinstance(row, dict):
            raise CorpusError(f"{table}:{line}", found=type(row).__name__, expected="a JSON object")
        yield line, row


def _parquet(table: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Rows by their number; columns of samples, bytes and lists, such as embedded audio, are passed over."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(f"{table}: reading Parquet", "parquet") from error
    try:
        with parquet.ParquetFile(table) as file:
            kept = [f.name for f in file.schema_arrow if not _is_nested_or_bytes(arrow.types, f.type)]
            number = 0
            for batch in file.iter_batches(columns=kept):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise CorpusError(table, found=str(error), expected="a Parquet file") from error


def _is_nested_or_bytes(types: Any, kind: Any) -> bool:
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        types.is_nested(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
    )


_READERS: dict[str, Callable[[Path], Iterator[tuple[int, Mapping[str, object]]]]] = {
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}


def check_mapping(
    table: Path, columns: Mapping[str, str], known: Collection[str], error: type[EmojudgeError]
) -> None:
    """Raises `error` for a mapping (our name of a column → the table's) of a name that is not ours."""
    for name in columns:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise error(
                table,
                found=f"a mapping for {name!r}",
                expected=f"one for {', '.join(known)}",
                advice=f"Did you mean {near[0]!r}?" if near else "",
            )


def columns_by_name(
    header: Collection[str], columns: Mapping[str, str], known: Mapping[str, Collection[str]]
) -> dict[str, str]:
    """Our name → the table's, for the columns that it has.

    Args:
        header: the table's columns.
        columns: our name → the table's, where somebody said so.
        known: our names, and those that are looked for, whatever their case, the first found first.

    >>> columns_by_name(["Sex", "what"], {"emotion": "what"}, {"gender": ("gender", "sex"), "id": ("id",)})
    {'emotion': 'what', 'gender': 'Sex'}
    """
    by_lower = {column.strip().lower(): column for column in reversed(list(header))}
    names = {name: column for name, column in columns.items() if column in header}
    for name, defaults in known.items():
        present = [by_lower[default] for default in defaults if default in by_lower]
        if present:
            names.setdefault(name, present[0])
    return names
