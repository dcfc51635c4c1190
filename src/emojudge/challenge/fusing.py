"""Two models' outputs fused, fitted on Development, which is itself fused by fits on other speakers."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from emojudge.challenge.scoring import Values, known, labelled, scaled, truth
from emojudge.evaluation.metrics import ccc
from emojudge.fusion.fit import fit_fusion
from emojudge.fusion.logistic import LogisticFusion
from emojudge.fusion.ridge import RidgeFusion, fit_ridge
from emojudge.recipe import Task
from emojudge.records import Utterance

Fusion = LogisticFusion | RidgeFusion
FOLDS = 5  # of Development's speakers, when a fusion that is fitted on it is scored on it


def fuse(
    items: list[Utterance], audio: Mapping[str, Values], text: Mapping[str, Values], task: Task
) -> tuple[dict[str, Values], dict[str, object]]:
    """Fused logits `(items, 8)`, or attributes on 1..7 `(items, 3)`, by split; and the fusion's numbers.

    NaN where either model has nothing. Source: EmoJudge section 2.3; ridge regression for attributes is ours.

    Args:
        items: of the split `dev`.
        audio, text: each model's outputs by split, attributes on -1..1.
    """
    rows = np.flatnonzero(known(audio["dev"], text["dev"]) & labelled(items, task))
    speakers = [items[row].speaker or "" for row in rows]  # those not known may be one
    groups = np.unique(speakers, return_inverse=True)[1]

    def fit(chosen: NDArray[np.int64]) -> tuple[Fusion, dict[str, object]]:
        some, people = rows[chosen], groups[chosen]
        a, t = audio["dev"][some], text["dev"][some]
        right = truth([items[row] for row in some], task)
        if task == "emotion":
            made = fit_fusion(a, t, right, groups=people)
            return made.fusion, {"C": made.strength}
        ridge = fit_ridge(scaled(a), scaled(t), right, ccc, groups=people)
        return ridge.fusion, {"strengths": list(ridge.strengths)}

    def apply(fusion: Fusion, split: str, chosen: NDArray[np.int64]) -> Values:
        a, t = audio[split][chosen], text[split][chosen]
        return fusion(*((a, t) if task == "emotion" else (scaled(a), scaled(t))))

    whole, facts = fit(np.arange(len(rows)))
    fused = {split: np.full_like(values, np.nan) for split, values in audio.items()}
    for split, values in fused.items():
        there = np.flatnonzero(known(audio[split], text[split]))
        if len(there):
            values[there] = apply(whole, split, there)
    for fold in range(FOLDS):
        inside = groups % FOLDS == fold
        fusion, _ = fit(np.flatnonzero(~inside))
        fused["dev"][rows[inside]] = apply(fusion, "dev", rows[inside])
    facts |= {"coefficients": whole.coefficients.tolist(), "intercept": whole.intercept.tolist()}
    return fused, facts
