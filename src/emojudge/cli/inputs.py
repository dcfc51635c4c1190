"""What the command line names, as utterances: recordings, folders, globs, manifests, standard input."""

import glob
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emojudge.audio.suffixes import AUDIO_SUFFIXES
from emojudge.audio.transcripts import Transcripts, read_transcript
from emojudge.cli.messages import count, utf8
from emojudge.corpora import table
from emojudge.corpora.tabular import SUFFIXES
from emojudge.errors import AudioError, CorpusError, EmojudgeError, TranscriptError
from emojudge.records import Failure, Transcript, Utterance

STDIN = "stdin"  # its id, and the name of its copy

_EXPECTED = "a recording, a folder, a glob or a manifest"

Item = Utterance | Failure


@dataclass
class Inputs:
    """Utterances in the order named, with a failure where an input gave none."""

    items: list[Item] = field(default_factory=list)
    repeated: int = 0  # recordings that were named again, and are judged once
    _seen: set[str] = field(default_factory=set)
    _ids: set[str] = field(default_factory=set)

    @property
    def utterances(self) -> list[Utterance]:
        return [item for item in self.items if isinstance(item, Utterance)]

    @property
    def recordings(self) -> list[Utterance]:
        return [utterance for utterance in self.utterances if utterance.audio is not None]

    def add_recording(self, path: Path, name: str) -> None:
        place = os.path.abspath(path)
        if place in self._seen:
            self.repeated += 1
            return
        self._seen.add(place)
        self.add(Utterance(id=utf8(name), audio=path), name)

    def add(self, utterance: Utterance, source: str) -> None:
        """Add an utterance; an id that is taken is preceded by the source, so that every id is there once."""
        if utterance.id in self._ids:
            utterance = utterance.model_copy(update={"id": utf8(f"{source}:{utterance.id}")})
        self._ids.add(utterance.id)
        self.items.append(utterance)


def gather(names: Sequence[str], spool: Path) -> Inputs:
    """The utterances that the command line's inputs stand for, in their order.

    Args:
        names: files; folders (all recordings in and under them, by suffix, hidden ones left out); globs;
            manifests (`.csv`, `.tsv`, `.jsonl`, `.parquet`, see `corpora.table`); `-` for stdin.
        spool: an empty folder of the caller's, for a copy of stdin.

    Raises:
        EmojudgeError: nothing to judge: the first input's error.
    """
    inputs = Inputs()
    first: EmojudgeError | None = None
    for name in names:
        try:
            _add(inputs, name, spool)
        except EmojudgeError as error:
            first = first or error
            inputs.items.append(Failure(id=utf8(name), error=utf8(str(error))))
    if first is not None and not inputs.utterances:
        raise first
    return inputs


def add_transcript(inputs: Inputs, transcript: Transcript) -> None:
    """Give the one recording its transcript.

    Raises:
        TranscriptError: there are several recordings, or none.
    """
    if len(inputs.recordings) != 1 or len(inputs.items) != 1:
        raise TranscriptError(
            "--transcript",
            found=f"{count(len(inputs.items), 'input')}",
            expected="one recording",
            advice="For several, use --transcripts or a manifest.",
        )
    inputs.items = [inputs.recordings[0].model_copy(update={"transcript": transcript})]


def add_transcripts(inputs: Inputs, path: Path) -> int:
    """Give the recordings that have no transcript the one that `path` has of them; how many found one.

    Args:
        path: a file (text, SRT, VTT, Whisper JSON), a folder of such, or a table; see `audio.transcripts`.

    Raises:
        TranscriptError: unreadable, or no transcript of any of the recordings.
    """
    find = _finder(inputs, path)
    found = 0
    for index, item in enumerate(inputs.items):
        if isinstance(item, Failure) or item.audio is None or item.transcript is not None:
            continue
        try:
            transcript = find(item.audio)
        except TranscriptError as error:  # this one's file; the others' may be well
            inputs.items[index] = Failure(id=item.id, error=utf8(str(error)))
            continue
        if transcript is not None:
            found += 1
            inputs.items[index] = item.model_copy(update={"transcript": transcript})
    if not found:
        raise TranscriptError(
            path,
            found=f"no transcript of the {count(len(inputs.recordings), 'recording')}",
            expected="files named as the recordings, or a table with their names",
        )
    return found


def check_output(output: Path, sources: Iterable[str | Path]) -> None:
    """Raises EmojudgeError if what will be written would take the place of an input."""
    try:
        target = os.stat(output)
    except (OSError, ValueError):  # not there, or no name: whoever opens it says so
        return
    for source in sources:
        try:
            same = os.path.samestat(os.stat(source), target)
        except (OSError, ValueError):
            continue
        if same:
            raise EmojudgeError(
                output,
                found="one of the inputs",
                expected="another file to write",
                advice="Nothing was changed.",
            )


def _finder(inputs: Inputs, path: Path) -> Callable[[Path], Transcript | None]:
    if len(inputs.recordings) == 1 and path.suffix.lower() not in SUFFIXES and not path.is_dir():
        transcript = read_transcript(path)  # whatever its name: there is no other that it could be of
        return lambda audio: transcript
    return Transcripts.load(path).find


def _add(inputs: Inputs, name: str, spool: Path) -> None:
    if name == "-":
        inputs.add_recording(_copy_of_stdin(spool), STDIN)
    elif os.path.isdir(name):
        _add_folder(inputs, Path(name))
    elif os.path.exists(name):
        _add_file(inputs, Path(name))
    elif glob.has_magic(name):
        _add_matches(inputs, name)
    else:
        address = "Addresses are not fetched: download it first." if "://" in name else "Check the path."
        raise AudioError(name or "''", found="no such file", expected=_EXPECTED, advice=address)


def _add_file(inputs: Inputs, path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        inputs.add_recording(path, str(path))
        return
    items = table.read(path)
    errors = [item for item in items if isinstance(item, CorpusError)]
    if len(errors) == len(items):
        raise errors[0]
    for item in items:
        if isinstance(item, CorpusError):
            inputs.items.append(Failure(id=utf8(item.where), error=utf8(str(item))))
        else:
            inputs.add(item, str(path))


def _add_folder(inputs: Inputs, folder: Path) -> None:
    before = len(inputs.items) + inputs.repeated
    for path in _recordings_under(inputs, folder):
        inputs.add_recording(path, str(path))
    if len(inputs.items) + inputs.repeated == before:
        raise AudioError(
            folder,
            found="no recording in the folder",
            expected="files such as .wav, .mp3, .m4a",
            advice="Name files with other endings, and manifests, one by one.",
        )


def _recordings_under(inputs: Inputs, folder: Path) -> Iterator[Path]:
    """Recordings by suffix, a folder's own before its folders'.

    A folder that cannot be read is a failure, and so is a pipe or a device: nobody named it, and reading it
    may never end.
    """

    def refuse(error: OSError) -> None:
        reason = EmojudgeError(error.filename, found=str(error.strerror), expected="a readable folder")
        if os.path.samefile(error.filename, folder):
            raise reason from error
        inputs.items.append(Failure(id=utf8(error.filename), error=utf8(str(reason))))

    visited: set[str] = set()  # links are followed, but not round in circles
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if os.path.realpath(place) in visited:
            folders.clear()
            continue
        visited.add(os.path.realpath(place))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES:
                path = Path(place, name)
                if path.exists() and not path.is_file():
                    odd = AudioError(path, found="no regular file", expected="a recording")
                    inputs.items.append(Failure(id=utf8(str(path)), error=utf8(str(odd))))
                else:
                    yield path


def _add_matches(inputs: Inputs, pattern: str) -> None:
    """Add what a glob matches; of one that says no ending, such as `calls/*`, the recordings and folders."""
    suffix = os.path.splitext(pattern)[1]
    named = bool(suffix) and not glob.has_magic(suffix)
    before = len(inputs.items) + inputs.repeated
    for match in sorted(glob.glob(pattern, recursive=True)):
        path = Path(match)
        if path.is_dir() and "**" not in pattern:
            for recording in _recordings_under(inputs, path):
                inputs.add_recording(recording, str(recording))
        elif path.is_file() and (named or path.suffix.lower() in AUDIO_SUFFIXES):
            _add_file(inputs, path)
    if len(inputs.items) + inputs.repeated == before:
        raise AudioError(
            pattern, found="no recording that matches", expected=_EXPECTED, advice="Check the pattern."
        )


def _copy_of_stdin(spool: Path) -> Path:
    """Standard input in a file: it is read more than once, by the models and by a transcriber."""
    copy = spool / STDIN
    if copy.exists():
        return copy
    if sys.stdin.isatty():
        raise AudioError(
            STDIN, found="a terminal", expected="a recording, as in: emojudge predict - < call.wav"
        )
    with copy.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return copy
