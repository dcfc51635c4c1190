"""How many utterances of each class a corpus has in each split: Table 1 of the paper, for any corpus."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from emojudge.emotions import EMOTIONS, Emotion
from emojudge.records import Utterance

_ORDER = ("train", "dev", "dev2", "test", "test1", "test2", "test3")  # splits, before those of other names
NO_SPLIT = "all"  # what utterances without a split are listed as


@dataclass
class SplitCounts:
    """One split, counted."""

    emotions: Counter[Emotion] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)  # by the corpus's own label
    speakers: set[str] = field(default_factory=set)
    recordings: int = 0
    transcripts: int = 0
    utterances: int = 0

    @property
    def labelled(self) -> int:
        """Utterances with one of the eight: the paper's "total files"."""
        return self.emotions.total()

    def percent(self, emotion: Emotion) -> float:
        """Of those with one of the eight; 0 where there are none."""
        return 100.0 * self.emotions[emotion] / self.labelled if self.labelled else 0.0

    def add(self, utterance: Utterance) -> None:
        self.utterances += 1
        self.recordings += utterance.audio is not None
        self.transcripts += utterance.transcript is not None
        if utterance.speaker is not None:
            self.speakers.add(utterance.speaker)
        if utterance.emotion is not None:
            self.emotions[utterance.emotion] += 1
        else:
            self.others[utterance.label or ("several emotions" if utterance.votes else "no label")] += 1

    def figures(self) -> dict[str, int]:
        """Every count by its name, in the order of the table."""
        return {
            **{emotion: self.emotions[emotion] for emotion in EMOTIONS},
            "total": self.labelled,
            **dict(sorted(self.others.items())),
            "utterances": self.utterances,
            "speakers": len(self.speakers),
            "recordings": self.recordings,
            "transcripts": self.transcripts,
        }


def count(utterances: Iterable[Utterance]) -> dict[str, SplitCounts]:
    """Counts by split: train, dev, dev2 and tests first, then others by name."""
    counts: dict[str, SplitCounts] = {}
    for utterance in utterances:
        counts.setdefault(utterance.split or NO_SPLIT, SplitCounts()).add(utterance)
    known = [split for split in _ORDER if split in counts]
    return {split: counts[split] for split in (*known, *sorted(counts.keys() - set(known)))}
