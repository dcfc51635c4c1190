"""Several models' outputs fused, fitted on Development, which is itself fused by fits on other speakers."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from emojudge.challenge.scoring import Values, known, labelled, scaled, truth
from emojudge.evaluation.metrics import ccc
from emojudge.fusion.fit import fit_fusion
from emojudge.fusion.linear import LinearFusion
from emojudge.fusion.ridge import fit_ridge
from emojudge.recipe import Task
from emojudge.records import Utterance

FOLDS = 5  # of Development's speakers, when a fusion that is fitted on it is scored on it


def fuse(
    items: list[Utterance], parts: Sequence[Mapping[str, Values]], task: Task
) -> tuple[dict[str, Values], dict[str, object]]:
    """Fused logits `(items, 8)`, or attributes on 1..7 `(items, 3)`, by split; and the fusion's numbers.

    NaN where any model has nothing. Source: EmoJudge section 2.3, for two models; ridge regression for
    attributes, and more than two models, are ours.

    Args:
        items: of the split `dev`.
        parts: each model's outputs by split, attributes on -1..1.
    """
    rows = np.flatnonzero(known(*(part["dev"] for part in parts)) & labelled(items, task))
    speakers = [items[row].speaker or "" for row in rows]  # those not known may be one
    groups = np.unique(speakers, return_inverse=True)[1]

    def beside(split: str, chosen: NDArray[np.int64]) -> list[Values]:
        values = [part[split][chosen] for part in parts]
        return values if task == "emotion" else [scaled(v) for v in values]

    def fit(chosen: NDArray[np.int64]) -> tuple[LinearFusion, dict[str, object]]:
        some, people = rows[chosen], groups[chosen]
        given, right = beside("dev", some), truth([items[row] for row in some], task)
        if task == "emotion":
            made = fit_fusion(given, right, groups=people)
            return made.fusion, {"C": made.strength}
        ridge = fit_ridge(given, right, ccc, groups=people)
        return ridge.fusion, {"strengths": list(ridge.strengths)}

    whole, facts = fit(np.arange(len(rows)))
    fused = {split: np.full_like(values, np.nan) for split, values in parts[0].items()}
    for split, values in fused.items():
        there = np.flatnonzero(known(*(part[split] for part in parts)))
        if len(there):
            values[there] = whole(*beside(split, there))
    for fold in range(FOLDS):
        inside = groups % FOLDS == fold
        fusion, _ = fit(np.flatnonzero(~inside))
        fused["dev"][rows[inside]] = fusion(*beside("dev", rows[inside]))
    facts |= {"coefficients": whole.coefficients.tolist(), "intercept": whole.intercept.tolist()}
    return fused, facts
