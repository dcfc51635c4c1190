"""Correctness: is what the recogniser says right, per class, in its distribution, and by speaker?"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import ATTRIBUTES, EMOTIONS, SCALE_MAX, SCALE_MIN, Emotion
from emojudge.evaluation.metrics import ccc, mae, pearson, precision_of, recall_of
from emojudge.evaluation.stress.check import Check, Heard, Skip, counted, uar_and_uap
from emojudge.records import Utterance

RIGHT, SHARE, CONSISTENT, PROPORTION, CORRELATED, ERROR = 0.5, 0.15, 0.75, 0.1, 0.5, 0.1
RANKED, CONFUSED = 0.7, 0.15
LOW, HIGH, NEUTRAL = (0.0, 0.45), (0.55, 1.0), (0.3, 0.6)
PER_CLASS = 8  # items of each class that a speaker needs for averages and ranks, as published

# Ranges that the literature expects, as published; emotions without an agreed one are not there.
EXPECTED: dict[str, dict[Emotion, tuple[float, float]]] = {
    "valence": {
        **dict.fromkeys(("angry", "disgust", "fear", "sad"), LOW),
        "neutral": NEUTRAL,
        "happy": HIGH,
    },
    "arousal": {"sad": LOW, "neutral": NEUTRAL, **dict.fromkeys(("angry", "fear", "surprise"), HIGH)},
    "dominance": {
        **dict.fromkeys(("fear", "sad"), LOW),
        **dict.fromkeys(("happy", "neutral", "surprise"), NEUTRAL),
        "angry": HIGH,
    },
}


def correctness(
    data: str, utterances: Sequence[Utterance], truth: NDArray[np.int64], heard: Heard
) -> list[Check | Skip]:
    """All tests of a corpus's recordings.

    Args:
        data: the corpus's name.
        utterances: labelled.
        truth: their emotions, indices in EMOTIONS.
        heard: what the recogniser made of them.
    """
    classes = sorted(set(truth.tolist()))
    predicted = heard.emotions(classes)
    return [
        *_classification(data, truth, predicted, classes),
        *_distribution(data, truth, predicted, classes),
        *_consistency(data, truth, heard, classes),
        *_regression(data, utterances, heard),
        *_speakers(data, utterances, truth, predicted, classes),
    ]


def _classification(
    data: str, truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[int]
) -> list[Check]:
    counts = counted(truth, predicted)
    recall, precision = recall_of(counts), precision_of(counts)
    uar, uap = uar_and_uap(truth, predicted, classes)
    found = {"UAR": uar, "UAP": uap}
    found |= {f"recall of {EMOTIONS[c]}": float(recall[c]) for c in classes}
    found |= {f"precision of {EMOTIONS[c]}": float(precision[c]) for c in classes}
    return [
        Check("correctness", "classification", name, data, value, RIGHT, "at least", len(truth))
        for name, value in found.items()
    ]


def _distribution(
    data: str, truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: Sequence[int]
) -> list[Check]:
    return [
        Check(
            "correctness",
            "distribution",
            f"share of {EMOTIONS[c]} against its true one",
            data,
            float(np.mean(predicted == c) - np.mean(truth == c)),
            SHARE,
            "within",
            len(truth),
        )
        for c in classes
    ]


def _consistency(data: str, truth: NDArray[np.int64], heard: Heard, classes: Sequence[int]) -> list[Check]:
    checks = []
    for column, attribute in enumerate(ATTRIBUTES):
        for emotion, (low, high) in EXPECTED[attribute].items():
            index = EMOTIONS.index(emotion)
            if index not in classes:
                continue
            values = heard.attributes[truth == index, column]
            share = float(np.mean((values >= low) & (values <= high)))
            name = f"{attribute} of {emotion} from {low:g} to {high:g} of 0..1"
            checks.append(
                Check("correctness", "consistency", name, data, share, CONSISTENT, "at least", len(values))
            )
    return checks


def _regression(data: str, utterances: Sequence[Utterance], heard: Heard) -> list[Check | Skip]:
    known = np.array([u.attributes is not None for u in utterances]) & ~np.isnan(heard.attributes).any(axis=1)
    if known.sum() < 2:
        return [Skip("correctness", "regression", data, "the corpus has no labels of attributes")]
    rows = np.flatnonzero(known).tolist()
    checks: list[Check | Skip] = []
    for column, attribute in enumerate(ATTRIBUTES):
        rated = np.array([getattr(utterances[i].attributes, attribute) for i in rows])
        t, p = (rated - SCALE_MIN) / (SCALE_MAX - SCALE_MIN), heard.attributes[rows, column]
        for name, value in (("CCC", ccc(t, p)), ("Pearson", pearson(t, p))):
            checks.append(
                Check(
                    "correctness",
                    "regression",
                    f"{name} of {attribute}",
                    data,
                    value,
                    CORRELATED,
                    "at least",
                    len(t),
                )
            )
        error = f"mean absolute error of {attribute}, of 0..1"
        checks.append(Check("correctness", "regression", error, data, mae(t, p), ERROR, "at most", len(t)))
    return checks


def _speakers(
    data: str,
    utterances: Sequence[Utterance],
    truth: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: Sequence[int],
) -> list[Check | Skip]:
    """Shares of each class by speaker: their error, and the speakers' order by them."""
    names = np.array([u.speaker or "" for u in utterances])
    enough = PER_CLASS * len(classes)
    speakers = [name for name in sorted(set(names.tolist())) if name and np.sum(names == name) >= enough]
    if len(speakers) < 4:
        why = f"fewer than 4 speakers with {enough} recordings"
        return [
            Skip("correctness", "speaker average", data, why),
            Skip("correctness", "speaker ranking", data, why),
        ]
    checks: list[Check | Skip] = []
    ranked = False
    for c in classes:
        true, found = (
            np.array([float(np.mean(values[names == name] == c)) for name in speakers])
            for values in (truth, predicted)
        )
        error = float(np.mean(np.abs(true - found)))
        name = f"share of {EMOTIONS[c]} by speaker, mean absolute error"
        checks.append(
            Check("correctness", "speaker average", name, data, error, PROPORTION, "at most", len(speakers))
        )
        if np.unique(true.round(6)).size >= 4:  # else there is no order that could be found again
            ranked = True
            checks += _ranking(data, EMOTIONS[c], true, found)
    if not ranked:
        why = "every speaker has about the same share of each emotion, so there is no order to find"
        checks.append(Skip("correctness", "speaker ranking", data, why))
    return checks


def _ranking(data: str, emotion: str, true: NDArray[np.float64], found: NDArray[np.float64]) -> list[Check]:
    quarter = max(1, round(len(true) / 4))
    by_truth, by_found = np.argsort(true, kind="stable"), np.argsort(found, kind="stable")
    bottom, top = set(by_truth[:quarter].tolist()), set(by_truth[-quarter:].tolist())
    said_bottom, said_top = set(by_found[:quarter].tolist()), set(by_found[-quarter:].tolist())
    confused = (len(said_top & bottom) + len(said_bottom & top)) / (2 * quarter)
    rows: list[tuple[str, float, float, Literal["at least", "at most"]]] = [
        ("rank correlation", spearman(true, found), RANKED, "at least"),
        ("precision of the top quarter", len(said_top & top) / quarter, RANKED, "at least"),
        ("precision of the bottom quarter", len(said_bottom & bottom) / quarter, RANKED, "at least"),
        ("top and bottom quarter confused", confused, CONFUSED, "at most"),
    ]
    return [
        Check("correctness", "speaker ranking", f"{emotion}: {name}", data, value, limit, kind, len(true))
        for name, value, limit, kind in rows
    ]


def spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's rank correlation; equal values share their mean rank.

    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0])), 9)
    0.5
    """
    return pearson(_ranks(one), _ranks(other))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse])
