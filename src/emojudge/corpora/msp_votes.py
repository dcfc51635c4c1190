"""What each rater said of a recording of MSP-Podcast: three shapes of one table, and the votes in it."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emojudge.corpora.msp_release import NO_AGREEMENT, OTHER, as_text, read_json
from emojudge.corpora.reading import read_rows
from emojudge.emotions import EMOTIONS, LETTERS, SECONDARY, Emotion
from emojudge.errors import CorpusError

_RATING = re.compile(r"(?P<axis>[AVD])\s*:\s*(?P<value>-?\d+(?:\.\d+)?)")
_AXES = {"V": "valence", "A": "arousal", "D": "dominance"}
_MISSPELT = {"dissapointed": "disappointed"}
_EXPECTED = "WORKER00000001; Neutral; Neutral; A:1.000000; V:4.000000; D:2.000000;"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One rater's opinion of one recording."""

    rater: str
    primary: str  # as written: one of the eight, or `Other-` and words of the rater's own
    secondary: tuple[str, ...]  # whatever else is heard, in lower case; free words are "other"
    ratings: dict[str, float]  # valence, arousal, dominance on 1..7, those that are given

    @property
    def emotion(self) -> Emotion | None:
        """The primary emotion; None for one that is not among the eight."""
        name = self.primary.strip().lower()
        return name if name in EMOTIONS else None


@dataclass
class Tally:
    """The raters of one recording, counted."""

    raters: int = 0
    emotions: Counter[Emotion] = field(default_factory=Counter)
    secondary: Counter[str] = field(default_factory=Counter)

    def add(self, annotation: Annotation) -> None:
        self.raters += 1
        if annotation.emotion is not None:
            self.emotions[annotation.emotion] += 1
        self.secondary.update(set(annotation.secondary))

    @property
    def others(self) -> int:
        """How many named none of the eight."""
        return self.raters - self.emotions.total()

    def votes(self) -> dict[Emotion, float] | None:
        """The distribution over the eight of those who named one; None where nobody did."""
        named = self.emotions.total()
        return {e: self.emotions[e] / named for e in EMOTIONS if self.emotions[e]} if named else None

    def counts(self) -> Counter[str]:
        """Raters by EmoClass letter, O among them."""
        counts = Counter({letter: self.emotions[emotion] for letter, emotion in LETTERS.items()})
        counts[OTHER] = self.others
        return counts

    def plurality(self) -> str:
        """The letter of the class that most raters named; X where several are first."""
        (first, most), (_, next_most), *_ = self.counts().most_common()
        return first if most > next_most else NO_AGREEMENT


def tally(path: Path) -> dict[str, Tally]:
    """The raters of each recording, counted, by the recording's name.

    Raises:
        CorpusError: see `annotations`.
    """
    tallies: dict[str, Tally] = {}
    for name, annotation in annotations(path):
        tallies.setdefault(name, Tally()).add(annotation)
    return tallies


def annotations(path: Path) -> Iterator[tuple[str, Annotation]]:
    """Recording and opinion for every row of `labels_detailed.csv` or `.json`, one at a time.

    The table has one of three shapes: columns per rating, with the rater in `Workers` (1.6) or `WorkerID`
    (2.0), or all in one text, `EmoDetail` (1.7 to 1.12 and the challenge), whose secondary emotions are left
    out in some rows.

    Raises:
        CorpusError: another shape, or a row that is not as its shape has it.
    """
    if path.suffix.lower() == ".json":
        yield from _from_json(path)
        return
    for line, row in read_rows(path):
        where = f"{path}:{line}"
        if "FileName" in row and "EmoDetail" in row:
            yield row["FileName"].strip(), _from_text(where, row["EmoDetail"])
        elif {"FileName", "EmoClass_Major"} <= row.keys():
            rater = row.get("WorkerID") or row.get("Workers") or ""
            yield row["FileName"].strip(), _from_fields(where, rater, row)
        else:
            expected = (
                "FileName with EmoDetail, or with EmoClass_Major, EmoClass_Second, EmoAct, EmoVal, EmoDom"
            )
            raise CorpusError(where, found=f"columns {', '.join(row)}", expected=expected)


def _from_json(path: Path) -> Iterator[tuple[str, Annotation]]:
    for name, raters in read_json(path).items():
        for rater, row in raters.items() if isinstance(raters, dict) else [("", None)]:
            if not isinstance(row, dict):
                raise CorpusError(f"{path}:{name}", found=repr(raters)[:60], expected="an object by rater")
            yield name, _from_fields(f"{path}:{name}", rater, as_text(row))


def _from_text(where: str, text: str) -> Annotation:
    """Rater, primary, perhaps secondary emotions, and ratings, with semicolons between."""
    parts = [part.strip() for part in text.strip().rstrip(";").split(";")]
    ratings: dict[str, float] = {}
    while parts and (
        match := _RATING.fullmatch(parts[-1])
    ):  # from the end: raters' own words may hold a colon
        ratings[_AXES[match["axis"]]] = float(match["value"])
        parts.pop()
    if len(parts) < 2 or not parts[1]:
        raise CorpusError(where, found=repr(text[:80]), expected=_EXPECTED)
    return Annotation(parts[0], parts[1], _tags(",".join(parts[2:])), ratings)


def _from_fields(where: str, rater: str, row: dict[str, str]) -> Annotation:
    ratings = {}
    for name, column in (("valence", "EmoVal"), ("arousal", "EmoAct"), ("dominance", "EmoDom")):
        try:
            if row.get(column, "").strip():
                ratings[name] = float(row[column])
        except ValueError:
            raise CorpusError(where, found=f"{column} = {row[column]!r}", expected="a number") from None
    if not row.get("EmoClass_Major", "").strip():
        raise CorpusError(where, found="no EmoClass_Major", expected="an emotion, or Other- and words")
    return Annotation(
        rater.strip(), row["EmoClass_Major"].strip(), _tags(row.get("EmoClass_Second", "")), ratings
    )


def _tags(text: str) -> tuple[str, ...]:
    """Secondary emotions, separated by commas, in lower case; what could not be ticked is "other".

    >>> _tags("Dissapointed,Annoyed,Other-so done")
    ('disappointed', 'annoyed', 'other')
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    spelt = [_MISSPELT.get(name, name) for name in names]
    return tuple(name if name in SECONDARY else "other" for name in spelt)
