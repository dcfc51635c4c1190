"""What the readers share: find audio by name, read lines and tables, turn several labels into one target."""

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from emojudge.emotions import EMOTIONS, SCALE_MAX, SCALE_MIN, Emotion, parse_emotion
from emojudge.errors import CorpusError
from emojudge.records import Utterance

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".opus", ".ogg"})


def some(names: Iterable[str], limit: int = 3) -> str:
    """The first few names, and how many more there are.

    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    listed = list(names)
    text = ", ".join(listed[:limit]).encode(errors="backslashreplace").decode()  # names need not be UTF-8
    return text if len(listed) <= limit else f"{text} and {len(listed) - limit} more"


def read_audio(folder: Path, parse: Callable[[Path], Utterance | None], layout: str) -> list[Utterance]:
    """An utterance for every audio file in or under a folder, ordered by file name.

    Audio is known by its suffix, whatever the release's own, so that re-encoded copies are read too. Hidden
    files (such as the `._*` files of macOS archives) are not audio.

    Args:
        folder: where to look.
        parse: makes an utterance of a file by its name, or None where the name is not the corpus's.
        layout: what the folder should hold, in words, for the errors.

    Raises:
        CorpusError: no folder, no audio in it, names that do not parse, or an utterance that is there twice.
    """
    paths = sorted(files_under(folder, AUDIO_SUFFIXES), key=lambda path: (path.name, path))
    if not paths:
        found = "no audio file" if folder.is_dir() else "no such folder"
        raise CorpusError(folder, found=found, expected=layout, advice="Name the folder of the copy.")
    read = [parse(path) for path in paths]
    strange = [str(path.relative_to(folder)) for path, u in zip(paths, read, strict=True) if u is None]
    if strange:
        raise CorpusError(
            folder,
            found=f"{len(strange)} of {len(paths)} audio files with other names: {some(strange)}",
            expected=layout,
            advice="Move what is not of this corpus elsewhere.",
        )
    utterances = [utterance for utterance in read if utterance is not None]
    twice = [name for name, count in Counter(u.id for u in utterances).items() if count > 1]
    if twice:
        raise CorpusError(
            folder,
            found=f"{len(twice)} utterances more than once: {some(twice)}",
            expected="each once",
            advice="Name the folder of one copy: some archives hold the corpus twice.",
        )
    return utterances


def files_under(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Every file in or under a folder with one of these suffixes, in lower case; hidden ones are passed over.

    Raises:
        CorpusError: a folder that may not be read.
    """
    visited: set[str] = set()  # links are followed, but not round in circles
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        if os.path.realpath(place) in visited:
            folders.clear()
            continue
        visited.add(os.path.realpath(place))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes:
                yield Path(place, name)


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):  # those are said better by the caller
        raise CorpusError(error.filename, found=str(error.strerror), expected="a readable folder") from error


def find_file(folder: Path, names: Iterable[str]) -> Path:
    """The first of the names that is a file in the folder.

    Raises:
        CorpusError: none of them is there.
    """
    return _find(folder, list(names), Path.is_file, "no such file")


def find_folder(folder: Path, names: Iterable[str]) -> Path:
    """The first of the names that is a folder in the folder.

    Raises:
        CorpusError: none of them is there.
    """
    return _find(folder, list(names), Path.is_dir, "no such folder in it")


def _find(folder: Path, names: list[str], there: Callable[[Path], bool], missing: str) -> Path:
    for name in names:
        if there(folder / name):
            return folder / name
    found = missing if folder.is_dir() else "no such folder"
    raise CorpusError(folder, found=found, expected=" or ".join(names), advice="Name the folder of the copy.")


def read_text(path: Path) -> str:
    """A file's text, which is UTF-8 with or without a byte order mark.

    Raises:
        CorpusError: it cannot be read, or is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return file.read()
    except OSError as error:
        raise CorpusError(path, found=error.strerror or str(error), expected="a readable file") from error
    except UnicodeDecodeError as error:
        raise CorpusError(
            path, found=f"a byte at {error.start} that is not UTF-8", expected="text in UTF-8"
        ) from error


def read_fields(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and tab-separated fields of every line that is not blank; quotes mean nothing.

    Lines end at LF or CR LF only: subtitles and comments contain U+0085 and U+2028 as mere characters.
    """
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            yield number, line.removesuffix("\r").split("\t")


def read_rows(path: Path, delimiter: str = ",") -> Iterator[tuple[int, dict[str, str]]]:
    """Last line number and fields by column of every row of a CSV file with a header (RFC 4180).

    Raises:
        CorpusError: no header, a column twice, a row with too few or too many fields, or a quote that never
            ends.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not header or len(set(header)) < len(header):
            raise CorpusError(path, found=f"the header {header}", expected="a header of distinct columns")
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise CorpusError(
                    f"{path}:{reader.line_num}", found=f"{len(row)} fields", expected=f"{len(header)} fields"
                )
            yield reader.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise CorpusError(
            f"{path}:{reader.line_num}", found=str(error), expected="a well-formed table"
        ) from error


def finer(label: str) -> str | None:
    """A corpus's own label, where it is more than another word for one of the eight emotions.

    >>> finer("elation"), finer("joy")
    ('elation', None)
    """
    return None if parse_emotion(label) else label


def rescaled(where: str, column: str, text: str, low: float, high: float) -> float:
    """A rating on another scale as one on 1..7; `where` and `column` stand for it in errors.

    >>> rescaled("a.csv:2", "V", "2", low=1, high=5)
    2.5

    Raises:
        CorpusError: what is no number from `low` to `high`.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise CorpusError(where, found=f"{column} = {text!r}", expected=f"a number from {low:g} to {high:g}")
    return SCALE_MIN + (value - low) * (SCALE_MAX - SCALE_MIN) / (high - low)


def target(emotions: Iterable[Emotion | None]) -> tuple[Emotion | None, dict[Emotion, float] | None]:
    """Emotion and votes of an item with several labels, None being those without a place in the eight.

    The distinct emotions share the votes equally. Where one remains it is the emotion, and no votes are
    needed; where none remains both are None.

    >>> target(["happy", "happy", None]), target(["sad", "angry"])
    (('happy', None), (None, {'angry': 0.5, 'sad': 0.5}))
    """
    named = set(emotions)
    distinct = [emotion for emotion in EMOTIONS if emotion in named]
    if len(distinct) < 2:
        return (distinct[0] if distinct else None), None
    return None, {emotion: 1.0 / len(distinct) for emotion in distinct}
