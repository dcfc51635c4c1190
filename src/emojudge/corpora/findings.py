"""What a check of a corpus finds: each kind of fault once, with all that it concerns."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["fault", "note"]  # a fault should be mended; a note is how the corpus is

KINDS: dict[str, tuple[Level, str]] = {  # in the order they are told; what was expected, or what to do
    "unreadable": ("fault", "the file as the release has it; what is under this line was not checked"),
    "unusable row": ("fault", "a row as `corpora.table` describes it; the others were checked"),
    "missing part": ("fault", "the whole release"),
    "missing audio": ("fault", "a recording for every label"),
    "audio without a label": ("fault", "a label, or a place in Test3, for every recording"),
    "empty audio": ("fault", "a recording; copy it again"),
    "undecodable audio": ("fault", "a recording; copy it again"),
    "damaged audio": ("fault", "a recording of the length in its header; copy it again"),
    "silent audio": ("fault", "sound"),
    "other sample rate": ("fault", "one rate for the whole corpus, 16,000 Hz for MSP-Podcast"),
    "several channels": ("fault", "mono"),
    "same sound twice": ("fault", "each recording once; in two splits it leaks"),
    "duplicate id": ("fault", "each id once"),
    "unknown label": ("fault", "a code of the release; A S H U F D C N, O or X for MSP-Podcast"),
    "missing label": ("fault", "a consensus label for whatever Partitions.txt lists, Test3 aside"),
    "unknown split": ("fault", "Train, Development (Validation), Test1, Test2 or Test3"),
    "attribute out of range": ("fault", "a number from 1 to 7"),
    "label against votes": ("fault", "the class that most raters named; X where several are first"),
    "label without votes": ("fault", "raters in labels_detailed for every label"),
    "votes without a label": ("fault", "a consensus label for whatever was rated"),
    "speaker in several splits": ("fault", "every speaker in one split"),
    "split against partitions": ("fault", "Split_Set as in Partitions.txt"),
    "missing from partitions": ("fault", "a line in Partitions.txt for every label"),
    "missing transcript": ("fault", "a transcript for every labelled recording"),
    "empty transcript": ("fault", "words"),
    "transcript not UTF-8": ("fault", "text in UTF-8"),
    "damaged alignment": ("fault", "a TextGrid; copy it again"),
    "known to be missing": ("note", "release 2.0 does not hold it"),
    "hidden labels": ("note", "Test3 is published without labels"),
    "unknown speaker": ("note", "folds by speaker leave these out"),
    "shared speaker": ("note", "the same people speak in several splits of this corpus"),
    "no emotion": ("note", "their label is none of the eight; they are not trained on for emotion"),
}


@dataclass(frozen=True)
class Finding:
    """One kind of fault or note, with all that it concerns, each with what was found where that says more."""

    kind: str
    items: tuple[str, ...]

    @property
    def level(self) -> Level:
        return KINDS[self.kind][0]

    @property
    def expected(self) -> str:
        return KINDS[self.kind][1]


def several(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Those that occur in more than one place, with these.

    >>> several([("anna", "train"), ("ben", "dev"), ("anna", "test"), ("ben", "dev")])
    ['anna: test, train']
    """
    places: dict[str, set[str]] = {}
    for name, place in pairs:
        places.setdefault(name, set()).add(place)
    return [f"{name}: {', '.join(sorted(found))}" for name, found in places.items() if len(found) > 1]


@dataclass
class Findings:
    """Collects findings by kind."""

    _items: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def add(self, kind: str, *items: str) -> None:
        self._items[kind].extend(items)

    def extend(self, kind: str, items: Iterable[str]) -> None:
        self._items[kind].extend(sorted(items))

    def all(self) -> list[Finding]:
        """What was found, faults first."""
        return [Finding(kind, tuple(items)) for kind, items in self._items.items() if items]
