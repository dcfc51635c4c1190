"""Transcripts that people bring along: text, SRT, VTT and Whisper JSON, and folders and tables of them."""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from emojudge.audio.subtitles import parse_srt, parse_vtt
from emojudge.errors import TranscriptError
from emojudge.records import Segment, Transcript

MAX_BYTES = 64 * 2**20  # of a transcript file or table; ten hours of Whisper words are about 15 MB

FILE_COLUMNS = ("file", "filename", "file_name", "path", "audio")
TEXT_COLUMNS = ("transcript", "text")

# What may follow a recording's name in a table, or in a transcript's file name (call.wav.txt).
AUDIO_SUFFIX = re.compile(
    r"\.(3gp|aac|aif[cf]?|amr|au|avi|caf|flac|m4[av]|mk[av]|mov|mp[34]|mpe?g|og[ag]|opus|sph|wave?|web[am]|wma)",
    re.IGNORECASE,
)


def read_transcript(path: Path) -> Transcript:
    """Read what was said from a .txt, .srt, .vtt or .json (Whisper, WhisperX) file; UTF-8, with a BOM or not.

    White space is reduced to single blanks and markup removed. SRT, VTT and JSON give segments, with speakers
    from VTT's `<v Name>`, from `[Name]: ` before the text, or from WhisperX's `speaker`. A file without words
    gives an empty text and is no error.

    Raises:
        TranscriptError: a file that cannot be read, is too large, not UTF-8, or not in its format.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise TranscriptError(
            path, found=f"the suffix {path.suffix!r}", expected=f"one of {', '.join(_READERS)}"
        )
    return reader(text_of(path), path)


def text_of(path: Path) -> str:
    """A transcript file's text, with `\\n` for every end of line.

    Raises:
        TranscriptError: it cannot be read, is too large, or not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise TranscriptError(path, found="no regular file", expected="a transcript file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        found = getattr(error, "strerror", None) or str(error)
        raise TranscriptError(path, found=found, expected="a readable file") from error
    if len(data) > MAX_BYTES:
        raise TranscriptError(path, found=f"more than {MAX_BYTES >> 20} MB", expected="a transcript")
    try:
        text = data.decode("utf-8-sig")
        fault = f"a NUL character at {text.index(chr(0))}" if "\0" in text else ""
    except UnicodeDecodeError as error:
        fault = f"the byte 0x{data[error.start]:02x} at {error.start}, which is not UTF-8"
    if fault:
        raise TranscriptError(path, found=fault, expected="text in UTF-8", advice="Save it again as UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _transcript(
    path: Path, segments: Sequence[Segment], text: str = "", language: str | None = None
) -> Transcript:
    """What a file says: its text, or else that of its segments."""
    text = _one_line(text) or " ".join(segment.text for segment in segments)
    name = os.fsencode(path.name).decode("utf-8", "replace")  # a name on disk need not be valid text
    return Transcript(text=text, source=f"file:{name}", language=language, segments=tuple(segments))


def _read_txt(content: str, path: Path) -> Transcript:
    return _transcript(path, [], content)


def _read_srt(content: str, path: Path) -> Transcript:
    return _transcript(path, parse_srt(content, path))


def _read_vtt(content: str, path: Path) -> Transcript:
    return _transcript(path, parse_vtt(content, path))


class _Lenient(BaseModel):
    """A part of somebody else's JSON: exact types, other keys of no interest."""

    model_config = ConfigDict(extra="ignore", strict=True)


class _WhisperSegment(_Lenient):
    start: float = Field(ge=0, allow_inf_nan=False)
    end: float = Field(ge=0, allow_inf_nan=False)
    text: str
    speaker: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("an end before the start")
        return self


class _Whisper(_Lenient):
    text: str | None = None
    segments: list[_WhisperSegment] | None = None
    language: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is None and self.segments is None:
            raise ValueError("neither 'text' nor 'segments'")
        return self


def _read_json(content: str, path: Path) -> Transcript:
    try:
        whisper = _Whisper.model_validate_json(content.encode())
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise TranscriptError(
            path,
            found=f"in {place}: {fault['msg'].removeprefix('Value error, ')[:200]}",
            expected="the JSON that Whisper or WhisperX writes (text, segments with start, end, text)",
        ) from error
    segments = [
        Segment(start=part.start, end=part.end, text=text, speaker=part.speaker or None)
        for part in whisper.segments or ()
        if (text := _one_line(part.text))
    ]
    return _transcript(path, segments, whisper.text or "", whisper.language or None)


_READERS: dict[str, Callable[[str, Path], Transcript]] = {
    ".txt": _read_txt,
    ".srt": _read_srt,
    ".vtt": _read_vtt,
    ".json": _read_json,
}


@dataclass(frozen=True)
class _Entry:
    """A transcript and the recording's name that it was given for."""

    name: PurePosixPath
    where: str  # the file, or the table's line
    content: Path | Transcript

    def rank(self, audio: PurePosixPath) -> tuple[int, bool]:
        """How well the name fits a recording with the same stem: common folders first, then the suffix."""
        common = 0
        for ours, theirs in zip(reversed(self.name.parent.parts), reversed(audio.parent.parts), strict=False):
            if ours != theirs:
                break
            common += 1
        return common, self.name.name in (audio.name, audio.stem)


class Transcripts:
    """The transcripts of many recordings, found by a recording's path.

    A recording's transcript is the one whose name has the same stem. Among several it is the one that shares
    most of the folders above the recording, then the one with the same suffix; where that leaves more than
    one, asking for that recording is an error.
    """

    def __init__(self, entries: list[_Entry]) -> None:
        self._entries: dict[str, list[_Entry]] = {}
        for entry in entries:
            names = {entry.name.name}
            if AUDIO_SUFFIX.fullmatch(entry.name.suffix):
                names.add(entry.name.stem)
            for name in names:
                self._entries.setdefault(name, []).append(entry)

    @classmethod
    def load(cls, path: Path, *, file_column: str | None = None, text_column: str | None = None) -> Self:
        """Transcripts from a folder, a table or one file.

        A folder holds a file per recording, read when asked for (`Transcripts/MSP-PODCAST_0001_0008.txt`).
        A .csv or .tsv has a header, a column with the recordings' names and one with their transcripts: those
        given, else those with known names (FILE_COLUMNS, TEXT_COLUMNS, in upper or lower case).

        Raises:
            TranscriptError: nothing at this path, an unreadable table, or columns that are not there.
        """
        path = Path(path)
        if path.is_dir():
            files = (file for file in sorted(path.rglob("*")) if file.suffix.lower() in _READERS)
            return cls(
                [
                    _Entry(_name(str(file.relative_to(path).with_suffix(""))), str(file), file)
                    for file in files
                    if not file.name.startswith(".") and file.is_file()
                ]
            )
        if path.suffix.lower() in (".csv", ".tsv"):
            return cls(_read_table(path, file_column, text_column))
        return cls([_Entry(_name(path.stem), str(path), read_transcript(path))])

    def find(self, audio: Path) -> Transcript | None:
        """The transcript of a recording, or None where there is none; its text may be empty.

        Raises:
            TranscriptError: more than one transcript fits the recording's name, or its file cannot be read.
        """
        wanted = _name(str(audio))
        entries = {
            entry.where: entry for name in (wanted.name, wanted.stem) for entry in self._entries.get(name, ())
        }
        if not entries:
            return None
        best = max(entry.rank(wanted) for entry in entries.values())
        fitting = [entry for entry in entries.values() if entry.rank(wanted) == best]
        if len(fitting) > 1:
            raise TranscriptError(
                audio,
                found=f"{len(fitting)} transcripts ({', '.join(entry.where for entry in fitting[:3])})",
                expected="one",
                advice="Remove the others, or name them by the recording's folder and file.",
            )
        content = fitting[0].content
        return content if isinstance(content, Transcript) else read_transcript(content)


def _name(text: str) -> PurePosixPath:
    """A recording's name; the same on every system (macOS decomposes accents, Windows writes backslashes)."""
    return PurePosixPath(unicodedata.normalize("NFC", text).replace("\\", "/"))


def _read_table(path: Path, file_column: str | None, text_column: str | None) -> list[_Entry]:
    content = text_of(path)
    header = content.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    entries: list[_Entry] = []
    try:
        columns = [column.strip() for column in next(rows, [])]
        file_at = _column(path, columns, file_column, FILE_COLUMNS, "recordings' names")
        text_at = _column(path, columns, text_column, TEXT_COLUMNS, "transcripts")
        for row in rows:
            if not row:
                continue
            where = f"{path}, line {rows.line_num}"
            if len(row) != len(columns) or not row[file_at].strip():
                raise TranscriptError(
                    where,
                    found=f"{len(row)} fields" if len(row) != len(columns) else "no recording's name",
                    expected=f"{len(columns)} fields ({', '.join(columns)})",
                    advice="Put text that contains the delimiter in double quotes.",
                )
            entries.append(_Entry(_name(row[file_at].strip()), where, _read_txt(row[text_at], path)))
    except csv.Error as error:
        raise TranscriptError(
            f"{path}, line {rows.line_num}",
            found=str(error),
            expected="a table whose quotes are closed, and doubled inside of quoted text",
        ) from error
    return entries


def _column(path: Path, columns: list[str], name: str | None, known: tuple[str, ...], what: str) -> int:
    """The place of the column that is named, or that alone has a known name."""
    if name is not None:
        places = [place for place, column in enumerate(columns) if column == name]
        expected = f"one column {name!r} with the {what}"
    else:
        places = [place for place, column in enumerate(columns) if column.lower() in known]
        expected = f"one column with the {what} ({', '.join(known)})"
    if len(places) != 1:
        found = f"the columns {', '.join(columns)}"[:300] if any(columns) else "no header"
        raise TranscriptError(path, found=found, expected=expected, advice="Name the column that is meant.")
    return places[0]
