"""Do intervals hold the truth as often as they say, and do paired tests find differences that are not there?

Corpora are simulated whose speakers differ: in how well they are recognised, and in which emotions they show.
The truth is the macro-F1 over the population of speakers, which a simulation knows.
"""

import argparse
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.evaluation import figures, metrics
from emojudge.evaluation.significance import bootstrap, mcnemar, paired_bootstrap, permutation_test

CLASSES, CLIPS = 8, (20, 60)
SPEAKERS, MANY = 60, (12, 24, 60, 120)  # of the tests, and of the intervals
CORPORA, TRIALS = 2000, 2000  # of 200, one in seven would leave 93 to 97 % by chance with a true 95 %
RESAMPLES, TEST_RESAMPLES = 2000, 500
SPEED_ITEMS, SPEED_SPEAKERS, SPEED_RESAMPLES = 30_000, 1500, 10_000
F1 = figures.macro_f1(CLASSES)
DIFFICULTY = np.linspace(-0.8, 0.8, CLASSES)  # logits of the classes' accuracy


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Coverage, false positives, and the time of 10,000 resamples."""
    del arguments
    return {"coverage": _coverage(), "false_positives": _false_positives(), "cpu_seconds": _speed()}


@dataclass
class Corpus:
    """A simulated corpus: every clip's speaker, class, and chance of being recognised."""

    speaker: NDArray[np.int64]
    truth: NDArray[np.int64]
    chance: NDArray[np.float64]

    def answers(self, random: np.random.Generator, shift: NDArray[np.float64]) -> NDArray[np.int64]:
        """A system's answers; `shift` is by how much it suits each speaker, in logits."""
        chance = _logistic(np.log(self.chance / (1 - self.chance)) + shift[self.speaker])
        other = (self.truth + random.integers(1, CLASSES, len(self.truth))) % CLASSES
        return np.where(random.random(len(self.truth)) < chance, self.truth, other)


def _draw(random: np.random.Generator, speakers: int) -> Corpus:
    clips = random.integers(*CLIPS, size=speakers)
    speaker = np.repeat(np.arange(speakers), clips)
    habits = random.dirichlet(np.full(CLASSES, 1.5), size=speakers).cumsum(axis=1)
    truth = np.minimum((random.random(len(speaker))[:, None] > habits[speaker]).sum(axis=1), CLASSES - 1)
    ease = random.normal(0, 0.8, size=speakers)
    return Corpus(speaker, truth, _logistic(ease[speaker] + DIFFICULTY[truth]))


def _logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-values))


def _coverage() -> dict[str, Any]:
    """How often each kind of interval holds the population's figure, by the number of speakers."""
    random = np.random.default_rng(20)
    people = _draw(random, 40_000)
    population = metrics.macro_f1(people.truth, people.answers(random, np.zeros(40_000)), CLASSES)
    made: dict[str, Any] = {"nominal": 0.95, "corpora": CORPORA, "macro_f1": round(population, 4)}
    for speakers in MANY:
        held: dict[str, list[bool]] = {}
        for trial in range(CORPORA):
            corpus = _draw(random, speakers)
            predicted = corpus.answers(random, np.zeros(speakers))
            for name, groups, method in (
                ("plain", None, "percentile"),
                ("speakers", corpus.speaker.tolist(), "percentile"),
                ("speakers_bca", corpus.speaker.tolist(), "bca"),
            ):
                options: dict[str, Any] = {"resamples": RESAMPLES, "seed": trial, "method": method}
                interval = bootstrap(F1, corpus.truth, predicted, groups=groups, **options)
                held.setdefault(name, []).append(interval.low <= population <= interval.high)
        made[str(speakers)] = {name: float(np.mean(each)) for name, each in held.items()}
        print(speakers, "speakers:", made[str(speakers)], flush=True)
    return made


def _false_positives() -> dict[str, Any]:
    """Of tests at 5 % between two systems that are equally good, and suit other speakers where said."""
    random = np.random.default_rng(21)
    found: dict[str, list[bool]] = {}
    for trial in range(TRIALS):
        corpus = _draw(random, SPEAKERS)
        for name, taste in (("speakers alike", 0.0), ("speakers apart", 0.7)):
            one, other = (corpus.answers(random, random.normal(0, taste, SPEAKERS)) for _ in range(2))
            pair = (corpus.truth, one, other)
            groups = corpus.speaker.tolist() if taste else None
            options: dict[str, Any] = {"groups": groups, "resamples": TEST_RESAMPLES, "seed": trial}
            p = {
                "bootstrap": paired_bootstrap(F1, *pair, **options).p,
                "permutation": permutation_test(F1, *pair, **options),
                "mcnemar": mcnemar(*pair).p,
                "mcnemar_mid_p": mcnemar(*pair).mid_p,
            }
            for test, value in p.items():
                found.setdefault(f"{test}, {name}", []).append(value < 0.05)
    made = {name: round(float(np.mean(each)), 4) for name, each in found.items()}
    print(made)
    return {"level": 0.05, "trials": TRIALS, **made}


def _speed() -> dict[str, float]:
    """CPU seconds of the resamples that a large test set needs, whatever else the machine does."""
    random = np.random.default_rng(22)
    truth = random.integers(CLASSES, size=SPEED_ITEMS)
    predicted = np.where(random.random(SPEED_ITEMS) < 0.6, truth, random.integers(CLASSES, size=SPEED_ITEMS))
    speakers = random.integers(SPEED_SPEAKERS, size=SPEED_ITEMS).tolist()
    rated, heard = random.normal(4, 1, SPEED_ITEMS), random.normal(4, 1, SPEED_ITEMS)
    made = {}
    for name, figure, t, p, groups in (
        ("macro-F1, items", F1, truth, predicted, None),
        ("macro-F1, speakers", F1, truth, predicted, speakers),
        ("CCC, items", figures.ccc(), rated, heard, None),
        ("CCC, speakers", figures.ccc(), rated, heard, speakers),
    ):
        at = time.process_time()
        bootstrap(figure, t, p, groups=groups, resamples=SPEED_RESAMPLES)
        made[name] = round(time.process_time() - at, 2)
    print(made)
    return made
