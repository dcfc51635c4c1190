"""Fitting the late fusion, with scikit-learn, which prediction does not need."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import EMOTIONS
from emojudge.errors import MissingExtraError, TrainingError
from emojudge.fusion.linear import LinearFusion

STRENGTHS = tuple(float(c) for c in np.logspace(-2, 3, 11))  # the paper's grid for C, [1e-2, 1e3]


@dataclass(frozen=True)
class FusionFit:
    """A fusion, the C that the grid search chose, and its cross-validated macro-F1 by C."""

    fusion: LinearFusion
    strength: float
    scores: dict[float, float]


def fit_fusion(
    logits: Sequence[NDArray[np.floating]],
    labels: NDArray[np.int64],
    *,
    groups: NDArray[np.int64] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> FusionFit:
    """Fit on logits of held-out utterances; C by cross-validated macro-F1 over the paper's grid.

    All models' logits are standardised for the fit, which the coefficients undo.

    Args:
        logits: `(items, emotions)` of each model, of items that none of them was trained on: audio and text
            in the paper; of more systems it is the meta-classifier that won the challenge (MEDUSA 2025).
        labels: emotion indices `(items,)`.
        groups: items of one group, such as a speaker, stay in one fold.
        seed: of the division into folds, where there are no groups.

    An emotion without examples gets a row that no item can win: the others' logits sum to about 0, so that
    the largest of them is over the lowest intercept, which is over its own.
    Source: EmoJudge section 2.3.

    Raises:
        TrainingError: fewer than two emotions, all together or in what a fold is fitted on, or too few items
            or groups for the folds.
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GroupKFold, StratifiedKFold, cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise MissingExtraError("fitting a fusion", "train") from error

    beside = np.concatenate(logits, axis=1).astype(np.float64)
    splitter = (
        GroupKFold(folds) if groups is not None else StratifiedKFold(folds, shuffle=True, random_state=seed)
    )

    def model(strength: float) -> object:
        return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))

    how = {"groups": groups, "cv": splitter, "scoring": "f1_macro", "error_score": "raise"}
    try:
        scores = {c: float(np.mean(cross_val_score(model(c), beside, labels, **how))) for c in STRENGTHS}
    except ValueError as error:
        raise TrainingError(
            "fusion", found=str(error), expected="several emotions, in enough items or groups for every fold"
        ) from error
    best = max(scores, key=lambda c: (scores[c], -c))  # of equals, the strongest regularisation
    scaler, regression = (step for _, step in model(best).fit(beside, labels).steps)  # type: ignore[attr-defined]
    slopes = regression.coef_ / scaler.scale_
    offsets = regression.intercept_ - slopes @ scaler.mean_
    if len(regression.classes_) == 2:  # scikit-learn keeps one row for two classes
        slopes, offsets = np.stack([-slopes[0], slopes[0]]) / 2, np.array([-offsets[0], offsets[0]]) / 2
    coefficients = np.zeros((len(EMOTIONS), beside.shape[1]))
    intercept = np.full(len(EMOTIONS), offsets.min() - 10.0)
    coefficients[regression.classes_], intercept[regression.classes_] = slopes, offsets
    return FusionFit(LinearFusion(coefficients, intercept), best, scores)
