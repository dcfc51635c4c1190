"""What lies where in a copy of MSP-Podcast, whichever release: folders, files, and their rows as written."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from emojudge.corpora.reading import AUDIO_SUFFIXES, files_under, read_rows, read_text
from emojudge.emotions import LETTERS
from emojudge.errors import CorpusError

LAYOUT = "MSP-Podcast's Labels/labels_consensus.csv, or .json, or labels_concensus of releases up to 1.9"

OTHER, NO_AGREEMENT = "O", "X"
LABELS: dict[str, str] = {**LETTERS, OTHER: "other", NO_AGREEMENT: "no agreement"}  # EmoClass, in words
SPLITS = {  # Split_Set, in lower case, and ours; releases up to 1.11 say Validation
    "train": "train",
    "development": "dev",
    "validation": "dev",
    "test1": "test1",
    "test2": "test2",
    "test3": "test3",
}
HIDDEN_SPLITS = frozenset({"test3"})  # published without labels
RATINGS = {"valence": "EmoVal", "arousal": "EmoAct", "dominance": "EmoDom"}  # SAM, 1..7
UNKNOWN = "unknown"  # a speaker or gender that the release does not know, in any case
KNOWN_MISSING = frozenset({"MSP-PODCAST_1909_1017.wav"})  # release 2.0 lists it and does not hold it

_CONSENSUS = ("labels_consensus", "labels_concensus")
_SPEAKER = re.compile(r"(?:Speaker_)?(?P<id>\w+)")


@dataclass(frozen=True)
class Release:
    """A copy's folders and files; None where it has none of the kind."""

    root: Path
    consensus: Path
    detailed: Path | None
    audio: Path | None
    transcripts: Path | None
    alignments: Path | None
    partitions: Path | None
    speakers: Path | None

    @classmethod
    def find(cls, folder: Path) -> "Release":
        """Look through a copy's folder; names are taken in any case.

        Raises:
            CorpusError: no folder, or no consensus labels in it.
        """
        root = _entries(folder)
        labels = next((root[name] for name in ("labels", "label") if name in root), folder)
        files = _entries(labels) if labels.is_dir() else {}
        consensus = _first(files, [f"{stem}{kind}" for kind in (".csv", ".json") for stem in _CONSENSUS])
        if consensus is None:
            found = "no consensus labels" if folder.is_dir() else "no such folder"
            raise CorpusError(
                folder, found=found, expected=LAYOUT, advice="Name the folder that holds Labels and Audios."
            )
        return cls(
            root=folder,
            consensus=consensus,
            detailed=_first(files, ["labels_detailed.csv", "labels_detailed.json"]),
            audio=_first(root, ["audios", "audio"]),
            transcripts=_first(root, ["transcripts", "transcript"]),
            alignments=_first(root, ["forcealigned", "forcedaligned", "forcealignment", "forcedalignment"]),
            partitions=_first(root | files, ["partitions.txt", "partition.txt"]),
            speakers=_first(root | files, ["speaker_ids.txt", "speaker_id.txt"]),
        )

    @cached_property
    def recordings(self) -> dict[str, Path]:
        """Every recording by the name that labels have for it, `MSP-PODCAST_0001_0008.wav`.

        A copy that was re-encoded, as FLAC say, is read too.
        """
        return {f"{stem}.wav": path for stem, path in _by_stem(self.audio, AUDIO_SUFFIXES).items()}

    def texts(self) -> dict[str, Path]:
        """The file of each transcript, by the recording's name."""
        return {f"{stem}.wav": path for stem, path in _by_stem(self.transcripts, {".txt"}).items()}

    def grids(self) -> dict[str, Path]:
        """The TextGrid of each word alignment, by the recording's name."""
        return {f"{stem}.wav": path for stem, path in _by_stem(self.alignments, {".textgrid"}).items()}

    def rows(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Place and fields of every consensus label, as written.

        Raises:
            CorpusError: the file is not read at all, or has other columns.
        """
        rows = (
            _json_rows(self.consensus)
            if self.consensus.suffix.lower() == ".json"
            else read_rows(self.consensus)
        )
        for line, row in rows:
            where = f"{self.consensus}:{line}"
            missing = {"FileName", "EmoClass", *RATINGS.values()} - row.keys()
            if missing:
                raise CorpusError(
                    where, found=f"columns {', '.join(row)}", expected=f"also {', '.join(missing)}"
                )
            yield where, {name: value.strip() for name, value in row.items()}

    def split_by_file(self) -> dict[str, str]:
        """Partitions.txt: the split of each recording, as written; empty without the file.

        Raises:
            CorpusError: a line that is not `Test3; MSP-PODCAST_test3_0001.wav`.
        """
        return {name: split for split, name in _pairs(self.partitions)}

    def speaker_by_file(self) -> dict[str, str]:
        """Speaker_ids.txt: the speaker of each recording; empty without the file.

        Raises:
            CorpusError: a line that is neither `Speaker_30; Male` nor `MSP-PODCAST_0001_0008.wav; 30`.
        """
        speakers = {}
        for name, speaker in _pairs(self.speakers):
            match = _SPEAKER.fullmatch(speaker)
            if match and name.lower().endswith(".wav"):
                speakers[name] = match["id"]
        return speakers

    def gender_by_speaker(self) -> dict[str, str]:
        """Speaker_ids.txt: `Male` or `Female` by speaker; empty without the file."""
        pairs = [(_SPEAKER.fullmatch(name), gender) for name, gender in _pairs(self.speakers)]
        return {match["id"]: gender for match, gender in pairs if match}


def _entries(folder: Path) -> dict[str, Path]:
    """What is in a folder, by its name in lower case; nothing for what is no folder."""
    return {path.name.lower(): path for path in sorted(folder.iterdir())} if folder.is_dir() else {}


def _first(entries: dict[str, Path], names: list[str]) -> Path | None:
    return next((entries[name] for name in names if name in entries), None)


def _by_stem(folder: Path | None, suffixes: Collection[str]) -> dict[str, Path]:
    """The files of these suffixes in and under a folder; read in one go, for there are 200,000 of them."""
    return {path.stem: path for path in files_under(folder, suffixes)} if folder is not None else {}


def _pairs(path: Path | None) -> Iterator[tuple[str, str]]:
    """The two fields of every line of a text file whose separator is a semicolon."""
    if path is None:
        return
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        fields = [field.strip() for field in line.rstrip("; ").split(";")]
        if not line.strip():
            continue
        if len(fields) != 2:
            raise CorpusError(
                f"{path}:{number}", found=repr(line[:60]), expected="two fields with ';' between"
            )
        yield fields[0], fields[1]


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """The JSON twin of the consensus, as rows; the number is that of the entry."""
    for number, (name, entry) in enumerate(read_json(path).items(), start=1):
        if not isinstance(entry, dict):
            raise CorpusError(f"{path}:{name}", found=type(entry).__name__, expected="an object of labels")
        yield number, {"FileName": name, **as_text(entry)}


def as_text(entry: Mapping[str, object]) -> dict[str, str]:
    """A JSON entry's values as a table's cells: null is empty."""
    return {key: "" if value is None else str(value) for key, value in entry.items()}


def read_json(path: Path) -> dict[str, object]:
    """The object that a JSON file holds.

    Raises:
        CorpusError: no JSON, another kind of value, or a recording twice.
    """

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError(f"a key twice among {[key for key, _ in pairs][:3]} ...")
        return dict(pairs)

    try:
        content = json.loads(read_text(path), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise CorpusError(path, found=str(error), expected="a JSON object by recording") from error
    if not isinstance(content, dict):
        raise CorpusError(path, found=type(content).__name__, expected="a JSON object by recording")
    return content
