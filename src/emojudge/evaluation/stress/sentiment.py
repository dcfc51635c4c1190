"""Linguistic sentiment: the same synthetic voice says positive, negative and neutral words.

The voice is espeak-ng's, which has no emotion: whatever differs between the words' sentiments comes from the
words. The publication asks whether sentiment shifts predictions alike in all languages. Here it is asked
first whether it shifts them at all, from the sound alone, where no words are given; then with the words,
where a model of words is meant to answer them but should not drown the voice; and then by language, as
published.
"""

from collections.abc import Callable, Sequence

import numpy as np

from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.evaluation.stress.check import Check, Heard, Predict, Skip, hear
from emojudge.evaluation.stress.fairness import PUBLISHED_ITEMS, SIMULATIONS, ceiling
from emojudge.evaluation.stress.sentences import SENTIMENTS, Sentiment
from emojudge.records import Utterance

SHIFT, MEAN_SHIFT = 0.075, 0.025  # published: of a class's share, and of attributes on 0..1
WORDS_SHIFT = 0.5  # ours: by how much words may move a class's share against a voice that stays neutral


def sentiment(
    predict: Predict,
    spoken: Sequence[tuple[Sentiment, Utterance]],
    done: Callable[[int], None] = lambda n: None,
) -> list[Check | Skip]:
    """All tests of linguistic sentiment, of the sound alone and with the words."""
    kinds = np.array([kind for kind, _ in spoken])
    language = np.array([utterance.language for _, utterance in spoken])
    voice = hear(predict, [u.model_copy(update={"transcript": None}) for _, u in spoken], done)
    words = hear(predict, [utterance for _, utterance in spoken], done)
    checks: list[Check | Skip] = []
    for data, heard, limit in (("voice alone", voice, SHIFT), ("voice and words", words, WORDS_SHIFT)):
        checks += _shifts(data, heard, kinds, language, limit)
        checks += _between_languages(data, heard, kinds, language)
    return checks


def _shifts(data: str, heard: Heard, kinds: np.ndarray, language: np.ndarray, limit: float) -> list[Check]:
    """By how much positive and negative words move each emotion's share against neutral words, in English."""
    published = limit == SHIFT
    checks = []
    inside = language == "en"  # the language of the embedded bundle's words
    emotions = heard.emotions(range(len(EMOTIONS)))
    neutral = inside & (kinds == "neutral")
    for kind in ("negative", "positive"):
        rows = inside & (kinds == kind)
        for index, emotion in enumerate(EMOTIONS):
            shift = float(np.mean(emotions[rows] == index) - np.mean(emotions[neutral] == index))
            name = f"share of {emotion}, {kind} words against neutral ones"
            checks.append(
                Check(
                    "fairness",
                    "linguistic sentiment",
                    name,
                    data,
                    shift,
                    limit,
                    "within",
                    int(rows.sum()),
                    False,
                )
            )
        if published:  # of words, attributes are meant to move
            for column, attribute in enumerate(ATTRIBUTES):
                apart = np.nanmean(heard.attributes[rows, column]) - np.nanmean(
                    heard.attributes[neutral, column]
                )
                name = f"{attribute} of 0..1, {kind} words against neutral ones"
                checks.append(
                    Check(
                        *("fairness", "linguistic sentiment", name, data, float(apart)),
                        *(MEAN_SHIFT, "within", int(rows.sum()), False),
                    )
                )
    return checks


def _between_languages(data: str, heard: Heard, kinds: np.ndarray, language: np.ndarray) -> list[Check]:
    """Whether sentiment shifts each emotion's share alike in all languages, as published."""
    emotions = heard.emotions(range(len(EMOTIONS)))
    names = sorted(set(language.tolist()))
    fewest = min(int(np.sum((language == n) & (kinds == k))) for n in names for k in SENTIMENTS)
    limit = max(SHIFT, _by_chance(len(names), fewest)) if fewest < PUBLISHED_ITEMS else SHIFT
    checks = []
    for kind in SENTIMENTS:
        shifts = {}
        for name in names:
            own = language == name
            chosen, every = emotions[own & (kinds == kind)], emotions[own]
            shifts[name] = np.array(
                [np.mean(chosen == i) - np.mean(every == i) for i in range(len(EMOTIONS))]
            )
        mean = np.mean(list(shifts.values()), axis=0)
        for name, shift in shifts.items():
            worst = int(np.argmax(np.abs(shift - mean)))
            label = f"{name}: shift by {kind} words against all languages', most for {EMOTIONS[worst]}"
            count = int(np.sum((language == name) & (kinds == kind)))
            value = float((shift - mean)[worst])
            checks.append(
                Check(
                    *("fairness", "linguistic sentiment", label, data, value),
                    *(limit, "within", count, limit == SHIFT),
                )
            )
    return checks


def _by_chance(languages: int, sentences: int) -> float:
    """The largest shift of a random recogniser in 1,000 simulations of this size, as published."""
    random = np.random.default_rng(0)
    even = np.full(len(EMOTIONS), 1 / len(EMOTIONS))
    counts = random.multinomial(sentences, even, size=(SIMULATIONS, languages, len(SENTIMENTS)))
    shares = counts / sentences
    shifts = shares - shares.mean(axis=2, keepdims=True)
    apart = np.abs(shifts - shifts.mean(axis=1, keepdims=True))
    return ceiling(apart)
