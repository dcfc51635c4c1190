"""Accents: synthetic voices of one language say the same sentences in different accents.

Published with recordings of one text by speakers of many accents, which are not free to use here. Synthetic
accents differ in vowels, consonants and melody; what real speakers of an accent share beyond is not tested.
"""

from collections.abc import Callable, Sequence

import numpy as np

from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.evaluation.stress.check import Check, Predict, Skip, hear
from emojudge.evaluation.stress.fairness import PUBLISHED_ITEMS, SIMULATIONS, ceiling
from emojudge.records import Utterance

SHARE, MEAN = 0.1, 0.075  # ours: of a class's share, and of attributes on 0..1


def accents(
    predict: Predict, spoken: Sequence[tuple[str, Utterance]], done: Callable[[int], None] = lambda n: None
) -> list[Check | Skip]:
    """Whether an accent's sentences get other emotions or attributes than those of all accents, voice alone.

    Of so few sentences, shares differ by chance: the threshold is then the largest difference that a random
    recogniser had, as for sexes.
    """
    accent = np.array([name for name, _ in spoken])
    heard = hear(predict, [u.model_copy(update={"transcript": None}) for _, u in spoken], done)
    emotions = heard.emotions(range(len(EMOTIONS)))
    names = sorted(set(accent.tolist()))
    fewest = min(int(np.sum(accent == name)) for name in names)
    limit = max(SHARE, _by_chance(len(names), fewest)) if fewest < PUBLISHED_ITEMS else SHARE
    checks: list[Check | Skip] = []
    for name in names:
        own = accent == name
        size = int(own.sum())
        apart = [np.mean(emotions[own] == c) - np.mean(emotions == c) for c in range(len(EMOTIONS))]
        worst = int(np.argmax(np.abs(apart)))
        what = f"share against all accents', most for {EMOTIONS[worst]}"
        checks.append(_check(f"{name}: {what}", float(apart[worst]), limit, size))
        for column, attribute in enumerate(ATTRIBUTES):
            values = heard.attributes[:, column]
            shift = float(np.nanmean(values[own]) - np.nanmean(values))
            checks.append(_check(f"{name}: {attribute} of 0..1 against all accents'", shift, MEAN, size))
    return checks


def _check(name: str, value: float, threshold: float, items: int) -> Check:
    about = "synthetic speech"
    return Check("fairness", "accent", name, about, value, threshold, "within", items, published=False)


def _by_chance(accents: int, sentences: int) -> float:
    """The largest difference of a random recogniser in 1,000 simulations of this size."""
    random = np.random.default_rng(0)
    even = np.full(len(EMOTIONS), 1 / len(EMOTIONS))
    shares = random.multinomial(sentences, even, size=(SIMULATIONS, accents)) / sentences
    return ceiling(np.abs(shares - shares.mean(axis=1, keepdims=True)))
