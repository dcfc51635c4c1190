"""The challenge's submission files: predictions as the leaderboard takes them, and the check of such a file.

Task 1 is `FileName,EmoClass` with one of the letters A S H U F D C N, task 2 `FileName,EmoAct,EmoVal,EmoDom`
on 1..7. A file has exactly the names of the test set, in their order.
"""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from emojudge.corpora.reading import read_rows, read_text, some
from emojudge.corpora.tabular import SUFFIXES, table_rows
from emojudge.emotions import ATTRIBUTES, LETTERS, SCALE_MAX, SCALE_MIN, Attribute, parse_emotion
from emojudge.errors import ChallengeError, CorpusError
from emojudge.files import write_whole

Task = Literal[1, 2]
TEST_FILES = 3200  # of Test3, the hidden test set
ATTRIBUTE_COLUMNS: dict[str, Attribute] = {"EmoAct": "arousal", "EmoVal": "valence", "EmoDom": "dominance"}
HEADERS: dict[Task, tuple[str, ...]] = {1: ("FileName", "EmoClass"), 2: ("FileName", *ATTRIBUTE_COLUMNS)}
DIGITS = 6  # after the decimal point
_LETTER_OF = {emotion: letter for letter, emotion in LETTERS.items()}
_NAMES = ("id", "file", "filename", "utterance")  # columns with the recording's name, first found first


@dataclass(frozen=True)
class Submission:
    """A validated submission: its rows as the file has them, and what its maker should know."""

    task: Task
    rows: tuple[tuple[str, ...], ...]
    clamped: int = 0  # values that were outside 1..7
    derived: int = 0  # rows whose attributes come from the emotions' scores and were not measured
    judged: int = 0  # rows in which a judge's verdict stands in the place of the recogniser's

    def text(self) -> str:
        """The file's content; lines end in LF, as in the organisers' own files."""
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows([HEADERS[self.task], *self.rows])
        return written.getvalue()

    def write(self, path: Path) -> None:
        """Write the file whole or not at all.

        Raises:
            ChallengeError: a place that cannot be written to.
        """
        try:
            write_whole(path, self.text())
        except OSError as error:
            raise ChallengeError(path, found=str(error), expected="a file in a folder to write in") from error


def names_of_test3() -> list[str]:
    """The names of the challenge's test set, in its order: MSP-PODCAST_test3_0001.wav to _3200.wav."""
    return [f"MSP-PODCAST_test3_{number:04d}.wav" for number in range(1, TEST_FILES + 1)]


def read_names(path: Path) -> list[str]:
    """The names that a submission must have, in their order.

    One name a line; a CSV file with a column `FileName`, such as the organisers' example; or the release's
    `Partitions.txt`, whose lines of Test3 (`Test3; NAME.wav`) are taken.

    Raises:
        ChallengeError: no names, one twice, or a file that cannot be read.
    """
    try:
        lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
        if lines and "FileName" in lines[0].split(","):
            names = [row["FileName"].strip() for _, row in read_rows(path)]
        elif any(";" in line for line in lines):
            pairs = [[part.strip() for part in line.split(";")] for line in lines]
            names = [pair[1] for pair in pairs if pair[0].lower() == "test3" and len(pair) > 1]
        else:
            names = lines
    except CorpusError as error:
        raise ChallengeError(error.where, found=error.found, expected=error.expected) from error
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or not names:
        found = f"names more than once: {some(twice)}" if twice else "no name"
        raise ChallengeError(path, found=found, expected="each file of the test set once, one a line")
    return names


def make_submission(path: Path, task: Task, names: Sequence[str], *, verdicts: bool = True) -> Submission:
    """A submission of a table of predictions, as `emojudge predict` and `judge` or another program write it.

    Args:
        path: `.csv`, `.tsv` or `.jsonl`; a row is known by the file name that its id ends in. Columns are
            those of `emojudge predict`, or the challenge's own.
        task: 1 emotions, 2 attributes, which are clamped to 1..7.
        names: of the test set, in the order to write.
        verdicts: take a judge's verdict where a row has one.

    Raises:
        ChallengeError: no such table, names that are missing, extra or there twice, rows without a prediction
            or with one that is none of the eight emotions or no number. All that is wrong is said at once.
    """
    made = list(read_predictions(path, task, verdicts))
    faults = _name_faults([row.name for row in made], names)
    bad = [f"{row.name} ({row.fault})" for row in made if row.fault]
    if bad:
        faults.append(f"{len(bad)} without a usable prediction: {some(bad)}")
    if faults:
        raise _refusal(path, faults, names)
    by_name = {row.name: row for row in made}
    return Submission(
        task=task,
        rows=tuple((name, *by_name[name].values) for name in names),
        clamped=sum(row.clamped for row in made),
        derived=sum(row.derived for row in made),
        judged=sum(row.judged for row in made),
    )


def check_submission(path: Path, task: Task, names: Sequence[str]) -> None:
    """Refuse a file that is no submission of a task: header, names and their order, letters, ranges.

    Raises:
        ChallengeError: with all that is wrong.
    """
    try:
        rows = list(read_rows(path))
    except CorpusError as error:
        raise ChallengeError(error.where, found=error.found, expected=error.expected) from error
    header = ",".join(rows[0][1]) if rows else "no row"
    if header != ",".join(HEADERS[task]):
        raise ChallengeError(
            path, found=header, expected=f"the header {','.join(HEADERS[task])} of task {task}, and rows"
        )
    given = [row["FileName"] for _, row in rows]
    faults = _name_faults(given, names)
    if not faults and given != list(names):
        first = next(i for i, (have, want) in enumerate(zip(given, names, strict=True)) if have != want)
        faults.append(f"another order: {given[first]} in the place of {names[first]}")
    bad = [f"line {line}: {fault}" for line, row in rows if (fault := _value_fault(row, task))]
    if bad:
        faults.append(f"{len(bad)} with values that are not allowed: {some(bad)}")
    if faults:
        raise _refusal(path, faults, names)


@dataclass(frozen=True)
class PredictedRow:
    """A row of predictions by its recording's file name: cells of a submission, or the fault."""

    name: str
    values: tuple[str, ...] = ()
    fault: str = ""
    clamped: int = 0
    derived: bool = False
    judged: bool = False


def read_predictions(path: Path, task: Task, verdicts: bool) -> Iterator[PredictedRow]:
    """The rows of a table of predictions, see `make_submission`.

    Raises:
        ChallengeError: no such table, or one that cannot be read.
    """
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        found = f"a {path.suffix or 'nameless'} file" if path.is_file() else "no such file"
        raise ChallengeError(path, found=found, expected=f"a table of predictions ({', '.join(SUFFIXES)})")
    try:
        for line, given in table_rows(path):
            cells = _flat(given)
            name = next((str(cells[n]) for n in _NAMES if cells.get(n) not in (None, "")), f"line {line}")
            yield _row(PurePosixPath(name.replace("\\", "/")).name, cells, task, verdicts)
    except CorpusError as error:
        raise ChallengeError(error.where, found=error.found, expected=error.expected) from error


def _flat(given: Mapping[str, Any]) -> dict[str, Any]:
    """A row's cells by lower-case name; what a record in JSON keeps one level down, as a CSV file has it."""
    cells = {name.strip().lower(): value for name, value in given.items()}
    if isinstance(cells.get("attributes"), dict):
        cells |= cells["attributes"]
    if isinstance(cells.get("attributes_from"), dict):
        cells |= {f"{name}_from": origin for name, origin in cells["attributes_from"].items()}
    verdict = cells.get("verdict")
    if isinstance(verdict, dict):
        cells["verdict_emotion"] = verdict.get("emotion")
        cells |= {f"verdict_{name}": value for name, value in (verdict.get("attributes") or {}).items()}
    return cells


def _row(name: str, cells: Mapping[str, Any], task: Task, verdicts: bool) -> PredictedRow:
    if cells.get("error"):
        return PredictedRow(name, fault=str(cells["error"]))
    wanted: Iterable[str] = ATTRIBUTES if task == 2 else ("emotion",)
    judged = verdicts and all(cells.get(f"verdict_{what}") not in (None, "") for what in wanted)
    prefix = "verdict_" if judged else ""
    if task == 1:
        label = str(cells.get(f"{prefix}emotion", cells.get("emoclass", "")) or "")
        emotion = parse_emotion(label)
        if emotion is None:
            return PredictedRow(name, fault=f"the emotion {label!r}")
        return PredictedRow(name, (_LETTER_OF[emotion],), judged=judged)
    values, clamped = [], 0
    for column, attribute in ATTRIBUTE_COLUMNS.items():
        cell = cells.get(f"{prefix}{attribute}", cells.get(column.lower()))
        value = _number(cell)
        if value is None:
            return PredictedRow(name, fault=f"{attribute} {cell!r}")
        within = min(max(value, SCALE_MIN), SCALE_MAX)
        clamped += within != value
        values.append(f"{within:.{DIGITS}f}")
    derived = any(cells.get(f"{attribute}_from") == "derived" for attribute in ATTRIBUTES)
    return PredictedRow(name, tuple(values), clamped=clamped, derived=derived and not judged, judged=judged)


def _number(cell: object) -> float | None:
    try:
        value = float(str(cell))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _value_fault(row: Mapping[str, str], task: Task) -> str:
    if task == 1:
        letter = row["EmoClass"]
        return "" if letter in LETTERS else f"EmoClass {json.dumps(letter)}"
    for column in ATTRIBUTE_COLUMNS:
        value = _number(row[column])
        if value is None or not SCALE_MIN <= value <= SCALE_MAX:
            return f"{column} {json.dumps(row[column])}"
    return ""


def _name_faults(given: Sequence[str], names: Sequence[str]) -> list[str]:
    have, want = Counter(given), set(names)
    groups = {
        "missing": [name for name in names if name not in have],
        "extra": [name for name in have if name not in want],
        "there twice": [name for name, count in have.items() if count > 1],
    }
    return [f"{len(found)} {what}: {some(found)}" for what, found in groups.items() if found]


def _refusal(path: Path, faults: list[str], names: Sequence[str]) -> ChallengeError:
    return ChallengeError(
        path,
        found="; ".join(faults),
        expected=f"one valid row for each of the {len(names)} files of the test set, in their order",
        advice="Name another test set with --names.",
    )
