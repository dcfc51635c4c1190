"""Several systems on the same items: paired differences, and whether they are more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.errors import PredictionsError
from emojudge.evaluation import figures
from emojudge.evaluation.aligned import NONE, System, Truth
from emojudge.evaluation.evaluate import Settings, classes_of
from emojudge.evaluation.figures import Figure
from emojudge.evaluation.significance import (
    Difference,
    McNemar,
    detectable,
    holm,
    mcnemar,
    paired_bootstrap,
    permutation_test,
)


@dataclass(frozen=True)
class Comparison:
    """One other system (`before`) and the evaluated one (`after`) by one figure."""

    against: str
    figure: str
    items: int  # that both have a prediction for
    difference: Difference
    permutation_p: float
    corrected_p: float  # the permutation's, by Holm over all systems and figures compared
    mcnemar: McNemar | None  # of emotions
    detectable: float  # the smallest true difference that would be found in four of five such samples


def compare(
    truth: Truth, system: System, others: Sequence[System], settings: Settings | None = None
) -> list[Comparison]:
    """Paired tests of a system against each other one, by macro-F1 and, where both have them, mean CCC.

    Raises:
        PredictionsError: another system has no item in common.
    """
    settings = settings or Settings()
    made = []
    for other in others:
        found = [*_emotions(truth, system, other, settings), *_attributes(truth, system, other, settings)]
        if not found:
            raise PredictionsError(
                other.name,
                found=f"no labelled utterance that {system.name} has a prediction for too",
                expected="predictions of the same utterances",
            )
        made += found
    corrected = holm([each.permutation_p for each in made])
    return [replace(each, corrected_p=p) for each, p in zip(made, corrected, strict=True)]


def _emotions(truth: Truth, system: System, other: System, settings: Settings) -> list[Comparison]:
    wanted = [EMOTIONS.index(emotion) for emotion in classes_of(truth, settings)]
    there = np.isin(truth.emotion, wanted) & (system.emotion != NONE) & (other.emotion != NONE)
    rows = np.flatnonzero(there)
    if not len(rows):
        return []
    figure = figures.macro_f1(len(EMOTIONS), wanted)
    columns = (truth.emotion[rows], other.emotion[rows], system.emotion[rows])
    return [_compared(truth, other, figure, rows, columns, settings, mcnemar(*columns))]


def _attributes(truth: Truth, system: System, other: System, settings: Settings) -> list[Comparison]:
    known = [
        ~np.isnan(values).any(axis=1) for values in (truth.attributes, system.attributes, other.attributes)
    ]
    rows = np.flatnonzero(np.all(known, axis=0))
    if not len(rows):
        return []
    columns = (truth.attributes[rows], other.attributes[rows], system.attributes[rows])
    return [_compared(truth, other, figures.mean_ccc(len(ATTRIBUTES)), rows, columns, settings, None)]


def _compared(
    truth: Truth,
    other: System,
    figure: Figure,
    rows: np.ndarray,
    columns: tuple[np.ndarray, np.ndarray, np.ndarray],
    settings: Settings,
    test: McNemar | None,
) -> Comparison:
    drawn = truth.groups_of(rows)
    difference = paired_bootstrap(
        figure,
        *columns,
        groups=drawn,
        resamples=settings.resamples,
        level=settings.level,
        seed=settings.seed,
    )
    p = permutation_test(figure, *columns, groups=drawn, resamples=settings.resamples, seed=settings.seed)
    least = detectable(difference.error, settings.level)
    return Comparison(other.name, figure.name, len(rows), difference, p, p, test, least)
