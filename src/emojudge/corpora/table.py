"""Any table as a corpus: CSV, TSV, JSONL or Parquet with one utterance a row."""

import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from emojudge.corpora.reading import some
from emojudge.corpora.tabular import SUFFIXES, check_mapping, columns_by_name, table_rows
from emojudge.emotions import ATTRIBUTES, EMOTIONS, SECONDARY, Emotion, parse_emotion
from emojudge.errors import CorpusError
from emojudge.records import Attributes, Transcript, Utterance

COLUMNS: dict[str, tuple[str, ...]] = {  # ours: the names looked for, whatever their case, first found first
    "id": ("id",),
    "file": ("file",),
    "speaker": ("speaker",),
    "gender": ("gender", "sex"),
    "emotion": ("emotion",),
    "valence": ("valence",),
    "arousal": ("arousal",),
    "dominance": ("dominance",),
    "transcript": ("transcript", "text"),
    "language": ("language",),
    "split": ("split",),
    "label": ("label",),
    "intensity": ("intensity",),
    **{f"vote_{emotion}": (f"vote_{emotion}",) for emotion in EMOTIONS},
    "other_votes": ("other_votes",),
    **{f"secondary_{tag}": (f"secondary_{tag}",) for tag in SECONDARY},
    "words_per_second": ("words_per_second",),
    "recording": ("recording", "dialogue", "dialogue_id"),
    "position": ("position", "turn", "utterance_id"),
}
GENDERS: dict[str, Literal["female", "male"] | None] = {
    **dict.fromkeys(("f", "female", "woman"), "female"),
    **dict.fromkeys(("m", "male", "man"), "male"),
    **dict.fromkeys(("", "other", "unknown", "x"), None),
}

logger = logging.getLogger(__name__)


def load(path: Path, columns: Mapping[str, str] | None = None) -> list[Utterance]:
    """Read a table whose rows are utterances.

    Columns are looked for by the names file, speaker, gender or sex, emotion, valence, arousal, dominance,
    transcript or text, language, split, recording or dialogue (that it is a turn of), position or turn (where
    in it), and id; others are ignored. A row needs a file, a transcript, or both.
    Emotions are named in full, by MSP-Podcast's letters or by common synonyms (see `parse_emotion`). Rows
    with other labels are kept without an emotion, with theirs as `label`, and a warning counts them. Valence,
    arousal and dominance are on 1..7 and come together. Files are relative to the table's folder. Rows
    without an id are named by their file, else by their line.

    Raters' votes stand in vote_angry, vote_sad and so on, as numbers or shares of votes, with the share of
    those who named none of the eight in other_votes; the share of raters who ticked another emotion too in
    secondary_amused, secondary_frustrated and so on; label, intensity and words_per_second are as in
    `Utterance`. `manifest.write` writes all of them.

    Args:
        path: a `.csv`, `.tsv` or `.jsonl` file, UTF-8, with column names in its first line or, for JSONL, as
            keys; a `.parquet` file, for which the extra `parquet` is needed; or a folder with one such file,
            or with one of them named `manifest`.
        columns: our name → the table's, for columns with other names.

    Raises:
        CorpusError: with file and line: what cannot be read, a missing recording, values out of range, an id
            twice; and when no label of the column names an emotion.
        MissingExtraError: a Parquet file without the extra `parquet`.
    """
    table, items, unknown = _read(path, columns)
    utterances: list[Utterance] = []
    for line, item in items:
        if isinstance(item, CorpusError):
            raise item
        if item.audio is not None and not item.audio.is_file():
            found = f"no file {str(item.audio.relative_to(table.parent))!r}"
            expected = f"a recording, relative to {table.parent}"
            raise CorpusError(f"{table}:{line}", found=found, expected=expected)
        utterances.append(item)
    if unknown and not any(utterance.emotion for utterance in utterances):
        raise CorpusError(
            table,
            found=f"no label that names an emotion: {_listed(unknown)}",
            expected=f"some of {', '.join(EMOTIONS)}",
            advice="Rename the labels, or map `emotion` to another column.",
        )
    _warn_of_unknown(table, unknown)
    return utterances


def read(path: Path, columns: Mapping[str, str] | None = None) -> list[Utterance | CorpusError]:
    """Read a table as `load` does, with an error in the place of each row that is not as it should be.

    For callers who report every row: whether the recordings are there is theirs to find out.

    Raises:
        CorpusError: the table as a whole cannot be read, or has neither files nor transcripts.
        MissingExtraError: a Parquet file without the extra `parquet`.
    """
    table, items, unknown = _read(path, columns)
    _warn_of_unknown(table, unknown)
    return [item for _, item in items]


def _read(
    path: Path, columns: Mapping[str, str] | None
) -> tuple[Path, list[tuple[int, Utterance | CorpusError]], Counter[str]]:
    """The table's file, its rows in order with their lines, and how often which label named no emotion."""
    table = _find(path)
    items: list[tuple[int, Utterance | CorpusError]] = []
    unknown: Counter[str] = Counter()
    lines: dict[str, int] = {}
    for line, cells in read_cells(table, columns):
        try:
            if isinstance(cells, CorpusError):
                raise cells
            utterance = _utterance(table, line, cells)
            if utterance.id in lines:
                found = f"the id {utterance.id!r}, which line {lines[utterance.id]} has too"
                advice = "Add a column 'id'."
                raise CorpusError(f"{table}:{line}", found=found, expected="each id once", advice=advice)
        except CorpusError as error:
            items.append((line, error))
            continue
        lines[utterance.id] = line
        items.append((line, utterance))
        if utterance.emotion is None and cells.get("emotion"):
            unknown[cells["emotion"]] += 1
    return table, items, unknown


def read_cells(
    table: Path, columns: Mapping[str, str] | None = None
) -> Iterator[tuple[int, dict[str, str] | CorpusError]]:
    """Every row's line and its cells as stripped text, by our names of the columns; errors as for `read`."""
    rows = [*table_rows(table)]
    if not rows:
        raise CorpusError(table, found="no row", expected="one row per utterance")
    names = _resolve(table, list({name: None for _, row in rows for name in row}), columns or {})
    for line, row in rows:
        try:
            where = f"{table}:{line}"
            yield line, {name: _cell(where, column, row.get(column)) for name, column in names.items()}
        except CorpusError as error:
            yield line, error


def _find(path: Path) -> Path:
    if not path.is_dir():
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            found = f"a {path.suffix or 'nameless'} file" if path.is_file() else "no such file or folder"
            raise CorpusError(path, found=found, expected=f"a table ({', '.join(SUFFIXES)})")
        return path
    tables = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    manifests = [file for file in tables if file.stem.lower() == "manifest"]
    for candidates in (manifests, tables):
        if len(candidates) == 1:
            return candidates[0]
    found = f"{len(tables)} tables: {some(file.name for file in tables)}" if tables else "no table"
    raise CorpusError(
        path, found=found, expected=f"one table ({', '.join(SUFFIXES)})", advice="Name the file itself."
    )


def _resolve(table: Path, header: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Our name → the table's, for the columns it has."""
    check_mapping(table, columns, COLUMNS, CorpusError)
    for column in columns.values():
        if column not in header:
            raise CorpusError(
                table, found=f"the columns {', '.join(header)}", expected=f"{column!r} among them"
            )
    names = columns_by_name(header, columns, COLUMNS)
    if "file" not in names and "transcript" not in names:
        raise CorpusError(
            table,
            found=f"the columns {', '.join(header)}",
            expected="'file' or 'transcript' among them",
            advice="Map the table's own names with `columns`.",
        )
    attributes = [name for name in ATTRIBUTES if name in names]
    if attributes and len(attributes) < len(ATTRIBUTES):
        logger.warning("%s: has only %s of the attributes, so none is read", table, " and ".join(attributes))
        for name in attributes:
            del names[name]
    return names


def _cell(where: str, column: str, value: object) -> str:
    """A value as stripped text; nothing as an empty one."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise CorpusError(where, found=f"{column} = {value!r}", expected="text or a number")
    text = str(value).strip()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise CorpusError(where, found=f"{column} = {text!a}", expected="text without lone surrogates")
    return text


def _utterance(table: Path, line: int, cells: Mapping[str, str]) -> Utterance:
    where = f"{table}:{line}"
    file, text = cells.get("file", ""), cells.get("transcript", "")
    language = cells.get("language") or None
    if not file and not text:
        raise CorpusError(where, found="neither file nor transcript", expected="one of them, or both")
    gender = cells.get("gender", "").lower()
    if gender not in GENDERS:
        expected = "female or male (f, m), other, unknown, or nothing"
        raise CorpusError(where, found=f"the gender {gender!r}", expected=expected)
    return Utterance(
        id=cells.get("id") or file or f"{table.stem}:{line}",
        audio=table.parent / file if file else None,
        transcript=Transcript(text=text, source=table.name, language=language) if text else None,
        speaker=cells.get("speaker") or None,
        gender=GENDERS[gender],
        language=language,
        split=cells.get("split") or None,
        emotion=(emotion := parse_emotion(cells.get("emotion", ""))),
        label=cells.get("label") or (None if emotion else cells.get("emotion")) or None,
        intensity=cells.get("intensity") or None,
        votes=_votes(where, cells),
        other_votes=_number(where, "other_votes", cells, 0.0, 1.0),
        secondary=_secondary(where, cells),
        attributes=_attributes(where, cells),
        words_per_second=_number(where, "words_per_second", cells, 1e-9, math.inf),
        recording=cells.get("recording") or None,
        position=_position(where, cells.get("position", "")),
    )


def _votes(where: str, cells: Mapping[str, str]) -> dict[Emotion, float] | None:
    """The distribution over the eight; None where no rater is counted."""
    counts = {e: _number(where, f"vote_{e}", cells, 0.0, math.inf) or 0.0 for e in EMOTIONS}
    total = sum(counts.values())
    return {e: count / total for e, count in counts.items() if count} if total else None


def _secondary(where: str, cells: Mapping[str, str]) -> dict[str, float] | None:
    """The share of raters by what they ticked; empty where nobody ticked anything, None where nobody says."""
    shares = {tag: _number(where, f"secondary_{tag}", cells, 0.0, 1.0) for tag in SECONDARY}
    if all(share is None for share in shares.values()):
        return None
    return {tag: share for tag, share in shares.items() if share}


def _number(where: str, name: str, cells: Mapping[str, str], low: float, high: float) -> float | None:
    if not cells.get(name):
        return None
    try:
        value = float(cells[name])
    except ValueError:
        value = math.nan
    if not low <= value <= high or math.isinf(value):
        raise CorpusError(
            where, found=f"{name} = {cells[name]!r}", expected=f"a number from {low:g} to {high:g}"
        )
    return value


def _position(where: str, cell: str) -> float | None:
    try:
        position = float(cell or "nan")
    except ValueError:
        expected = "the seconds of the start in the recording, or the number of the turn"
        raise CorpusError(where, found=f"position = {cell!r}", expected=expected) from None
    return position if math.isfinite(position) else None


def _attributes(where: str, cells: Mapping[str, str]) -> Attributes | None:
    values: dict[str, str] = {name: cells[name] for name in ATTRIBUTES if cells.get(name)}
    if not values:
        return None
    try:
        return Attributes.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        found = f"{fault['loc'][0]} = {values.get(str(fault['loc'][0]), '')!r}"
        raise CorpusError(
            where,
            found=found,
            expected="valence, arousal and dominance, each a number from 1 to 7",
            advice="Rescale other scales first.",
        ) from error


def _listed(labels: Counter[str]) -> str:
    return some((f"{label!r} ({count})" for label, count in labels.most_common()), limit=20)


def _warn_of_unknown(table: Path, unknown: Counter[str]) -> None:
    if unknown:
        total = unknown.total()
        logger.warning("%s: %d rows kept without an emotion: %s", table, total, _listed(unknown))
