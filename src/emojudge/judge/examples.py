"""Examples of correct predictions, drawn from a training split and never from what is judged."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

from emojudge.corpora.splits import position
from emojudge.emotions import EMOTIONS, Emotion
from emojudge.errors import JudgeError
from emojudge.judge.prompt import Example
from emojudge.records import Evidence

Choice = Literal["balanced", "nearest"]
_WORD = re.compile(r"\w+(?:['’]\w+)?")


class Examples:
    """A pool of examples, and which of them are shown for an utterance.

    Args:
        pool: correct predictions; where a label differs from the prediction, the example is refused.
        count: how many are shown.
        choice: `balanced` shows the same ones every time, as many of each emotion as the count allows, drawn
            by seed (a prompt that begins alike costs less with most providers); `nearest` shows those whose
            words are most like the utterance's (cosine of TF-IDF vectors of words), the nearest last.

    Raises:
        JudgeError: an example whose prediction is not correct, or an id twice.
    """

    def __init__(
        self, pool: Iterable[Example], count: int = 8, choice: Choice = "balanced", seed: int = 0
    ) -> None:
        self.pool = tuple(pool)
        self.count = count
        self.choice = choice
        self.ids = {example.evidence.id for example in self.pool}
        if len(self.ids) < len(self.pool):
            raise JudgeError("examples", found="an id more than once", expected="each example once")
        for example in self.pool:
            if example.emotion is not None and example.emotion != example.evidence.emotion:
                found = f"{example.evidence.emotion} predicted for {example.emotion}"
                raise JudgeError(
                    f"example {example.evidence.id}", found=found, expected="a correct prediction"
                )
        self._same = _balanced(self.pool, count, seed) if choice == "balanced" else ()
        self._index = _Index(self.pool) if choice == "nearest" else None

    def shown(self, evidence: Evidence) -> tuple[Example, ...]:
        """The examples for an utterance.

        Raises:
            JudgeError: the utterance is itself in the pool.
        """
        if evidence.id in self.ids:
            raise JudgeError(
                evidence.id,
                found="an utterance that is also in the pool of examples",
                expected="examples of another split",
                advice="Draw the examples from the training split.",
            )
        if self._index is None:
            return self._same
        return self._index.nearest(evidence, self.count)


def correct_predictions(items: Iterable[tuple[Evidence, Emotion | None]]) -> list[Example]:
    """Of predictions with labels, those that are correct, as examples."""
    return [Example(evidence=e, emotion=label) for e, label in items if label == e.emotion]


def _balanced(pool: Sequence[Example], count: int, seed: int) -> tuple[Example, ...]:
    """In rounds, one more of each emotion that is left, in the order that the seed draws."""
    drawn = sorted(pool, key=lambda example: position(example.evidence.id, seed))
    rank: Counter[str] = Counter()
    rounds: list[tuple[int, int, Example]] = []
    for example in drawn:
        emotion = example.emotion or example.evidence.emotion
        rounds.append((rank[emotion], EMOTIONS.index(emotion), example))
        rank[emotion] += 1
    rounds.sort(key=lambda item: item[:2])
    chosen = [example for _, _, example in rounds[:count]]
    return tuple(
        sorted(chosen, key=lambda example: position(example.evidence.id, seed + 1))
    )  # not by emotion


class _Index:
    """TF-IDF vectors of the pool's transcripts, by word."""

    def __init__(self, pool: Sequence[Example]) -> None:
        self.pool = pool
        bags = [_words(example.evidence) for example in pool]
        seen = Counter(word for bag in bags for word in bag)
        self.weights = {word: math.log((1 + len(pool)) / (1 + count)) + 1 for word, count in seen.items()}
        self.postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for index, bag in enumerate(bags):
            for word, weight in self._vector(bag).items():
                self.postings[word].append((index, weight))

    def nearest(self, evidence: Evidence, count: int) -> tuple[Example, ...]:
        likeness: dict[int, float] = defaultdict(float)
        for word, weight in self._vector(_words(evidence)).items():
            for index, other in self.postings.get(word, ()):
                likeness[index] += weight * other
        ranked = sorted(likeness, key=lambda index: (-likeness[index], index))[:count]
        return tuple(self.pool[index] for index in reversed(ranked))

    def _vector(self, bag: Counter[str]) -> dict[str, float]:
        """Of length 1; words that the pool does not have are left out."""
        vector = {w: (1 + math.log(n)) * self.weights[w] for w, n in bag.items() if w in self.weights}
        length = math.sqrt(math.fsum(value * value for value in vector.values()))
        return {word: value / length for word, value in vector.items()}


def _words(evidence: Evidence) -> Counter[str]:
    return Counter(_WORD.findall(evidence.transcript.text.lower()) if evidence.transcript else ())
