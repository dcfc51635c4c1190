"""Fairness: is the recogniser as good, and does it say the same, for every sex, pitch and language?"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import EMOTIONS
from emojudge.evaluation.metrics import precision_of, recall_of
from emojudge.evaluation.stress.check import Check, Heard, Skip, counted, uar_and_uap

# Thresholds as published; of sexes they hold for 2 groups, of pitch for 3, with 1,000 recordings in each.
SEX = {"precision": 0.075, "recall": 0.175, "UAP": 0.05, "UAR": 0.075}
PITCH = {"precision": 0.1, "recall": 0.225, "UAP": 0.05, "UAR": 0.075}
LANGUAGE = 0.1
PUBLISHED_ITEMS = 1000
LEAST = 20  # recordings of a group, under which nothing can be said
SIMULATIONS = 1000
LOW_PITCH, HIGH_PITCH = 145.0, 190.0  # Hz, of a speaker's mean


def equal_odds(
    data: str,
    test: str,
    groups: Sequence[str | None],
    truth: NDArray[np.int64],
    heard: Heard,
    published: Mapping[str, float],
) -> list[Check | Skip]:
    """Precision and recall of each group against those of all, by class and on average.

    The publication found its thresholds by letting a random model, which has no bias, be tested 1,000 times:
    the largest difference is the threshold. A group with fewer than 1,000 recordings differs by more by mere
    chance, so the same is done here for its size, and the larger threshold holds.

    Args:
        data: the corpus.
        test: sex or pitch.
        groups: each recording's; None where it is not known.
        truth: emotions, indices in EMOTIONS.
        heard: the predictions.
        published: thresholds of precision, recall, UAP and UAR.
    """
    names = sorted({group for group in groups if group})
    members = {name: np.array([group == name for group in groups]) for name in names}
    members = {name: inside for name, inside in members.items() if inside.sum() >= LEAST}
    if len(members) < 2:
        return [Skip("fairness", test, data, f"fewer than two groups with {LEAST} recordings")]
    known = np.any(list(members.values()), axis=0)
    classes = sorted(set(truth[known].tolist()))
    predicted = heard.emotions(classes)
    checks: list[Check | Skip] = []
    for name, inside in members.items():
        chance = _by_chance(truth[known], inside[known], classes)
        for figure, value in _apart(truth, predicted, inside, known, classes).items():
            limit = published[figure.split(" ")[0]]
            size = int(inside.sum())
            wide = max(limit, chance[figure.split(" ")[0]]) if size < PUBLISHED_ITEMS else limit
            checks.append(
                Check("fairness", test, f"{name}: {figure}", data, value, wide, "within", size, wide == limit)
            )
    return checks


def languages(heard: Mapping[str, tuple[Sequence[str], Heard, NDArray[np.int64]]]) -> list[Check | Skip]:
    """Whether one language's recordings get other emotions than those of all languages together.

    Args:
        heard: by language: corpora, predictions, and true emotions. Items are taken evenly from each emotion
            that all languages have, so that what is asked is not whether corpora differ in their labels.
    """
    if len(heard) < 2:
        return [Skip("fairness", "language", ", ".join(heard), "recordings of one language")]
    shared = sorted(set.intersection(*(set(truth.tolist()) for _, _, truth in heard.values())))
    if len(shared) < 2:
        return [Skip("fairness", "language", ", ".join(heard), "no two emotions that all languages have")]
    shares = {}
    for language, (_, predictions, truth) in heard.items():
        predicted = predictions.emotions(shared)
        by_class = [[np.mean(predicted[truth == t] == c) for c in shared] for t in shared]
        shares[language] = np.mean(by_class, axis=0)
    mean = np.mean(list(shares.values()), axis=0)
    return [
        Check(
            "fairness",
            "language",
            f"{language}: share of {EMOTIONS[c]} against all languages",
            ", ".join(heard[language][0]),
            float(share - mean[index]),
            LANGUAGE,
            "within",
            len(heard[language][2]),
        )
        for language, found in shares.items()
        for index, (c, share) in enumerate(zip(shared, found, strict=True))
    ]


def pitch_groups(pitches: Mapping[str, float], speakers: Sequence[str | None]) -> list[str | None]:
    """Each recording's group by its speaker's mean pitch in Hz.

    >>> pitch_groups({"a": 120.0, "b": 210.0}, ["a", "b", None])
    ['low pitch', 'high pitch', None]
    """
    found: list[str | None] = []
    for speaker in speakers:
        hz = pitches.get(speaker or "", float("nan"))
        if np.isnan(hz):
            found.append(None)
        else:
            low, high = hz <= LOW_PITCH, hz > HIGH_PITCH
            found.append("low pitch" if low else "high pitch" if high else "medium pitch")
    return found


def _apart(
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    inside: NDArray[np.bool_],
    known: NDArray[np.bool_],
    classes: Sequence[int],
) -> dict[str, float]:
    own, every = counted(truth[inside], predicted[inside]), counted(truth[known], predicted[known])
    there = [c for c in classes if own[c].sum()]
    found: dict[str, float] = {}
    for c in there:
        found[f"precision of {EMOTIONS[c]}"] = float(precision_of(own)[c] - precision_of(every)[c])
        found[f"recall of {EMOTIONS[c]}"] = float(recall_of(own)[c] - recall_of(every)[c])
    own_means = uar_and_uap(truth[inside], predicted[inside], there)
    every_means = uar_and_uap(truth[known], predicted[known], there)
    return found | {"UAR": own_means[0] - every_means[0], "UAP": own_means[1] - every_means[1]}


def _by_chance(
    truth: NDArray[np.int64], inside: NDArray[np.bool_], classes: Sequence[int]
) -> dict[str, float]:
    """The largest difference that a random model's group had in 1,000 simulations, by kind of figure."""
    random = np.random.default_rng(0)
    uniform = np.full(len(classes), 1 / len(classes))
    both = []
    for part in (truth[inside], truth[~inside]):
        sizes = [int(np.sum(part == c)) for c in classes]
        both.append(np.stack([random.multinomial(n, uniform, size=SIMULATIONS) for n in sizes], axis=1))
    own, every = both[0], both[0] + both[1]
    precision = np.abs(precision_of(own) - precision_of(every))
    recall = np.abs(recall_of(own) - recall_of(every))
    uar = np.abs(recall_of(own).mean(axis=-1) - recall_of(every).mean(axis=-1))
    uap = np.abs(precision_of(own).mean(axis=-1) - precision_of(every).mean(axis=-1))
    return {
        name: ceiling(values)
        for name, values in (("precision", precision), ("recall", recall), ("UAR", uar), ("UAP", uap))
    }


def ceiling(values: NDArray[np.float64]) -> float:
    """The largest value up to the next 0.025, as the published thresholds are."""
    return float(np.ceil(values.max() * 40) / 40)
