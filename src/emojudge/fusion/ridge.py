"""Late fusion of attributes: ridge regression on two models' outputs or more, one for each attribute."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojudge.errors import MissingExtraError, TrainingError
from emojudge.fusion.fit import STRENGTHS
from emojudge.fusion.linear import LinearFusion

Agreement = Callable[[NDArray[np.float64], NDArray[np.float64]], float]  # (truth, predicted) → figure


@dataclass(frozen=True)
class RidgeFit:
    """A fusion, the strength that each attribute got, and its cross-validated agreement by strength."""

    fusion: LinearFusion
    strengths: tuple[float, ...]
    scores: tuple[dict[float, float], ...]


def fit_ridge(
    outputs: Sequence[NDArray[np.floating]],
    targets: NDArray[np.floating],
    agreement: Agreement,
    *,
    groups: NDArray[np.int64] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> RidgeFit:
    """Fit on outputs for held-out utterances; the penalty's strength by cross-validated agreement.

    The paper fuses emotions by logistic regression and says of attributes only that the same was done; this
    is the same idea, with the same grid. All outputs are standardised for the fit, which the coefficients
    undo. Of strengths that agree equally well, the largest.

    Args:
        outputs: `(items, outputs)` of each model, of items that none of them was trained on.
        targets: `(items, attributes)`, on the scale that the fused attributes are to have.
        agreement: what a strength is chosen by: `evaluation.metrics.ccc`.
        groups: items of one group, such as a speaker, stay in one fold.
        seed: of the division into folds, where there are no groups.

    Raises:
        TrainingError: too few items or groups for the folds.
    """
    try:
        from sklearn.linear_model import Ridge
        from sklearn.metrics import make_scorer
        from sklearn.model_selection import GroupKFold, KFold, cross_val_score
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise MissingExtraError("fitting a fusion", "train") from error

    beside = np.concatenate(outputs, axis=1).astype(np.float64)
    splitter = GroupKFold(folds) if groups is not None else KFold(folds, shuffle=True, random_state=seed)
    how = {"groups": groups, "cv": splitter, "scoring": make_scorer(agreement), "error_score": "raise"}

    def model(strength: float) -> object:
        return make_pipeline(StandardScaler(), Ridge(alpha=strength))

    slopes, offsets, strengths, scores = [], [], [], []
    for truth in targets.astype(np.float64).T:
        try:
            found = {s: float(np.mean(cross_val_score(model(s), beside, truth, **how))) for s in STRENGTHS}
        except ValueError as error:
            raise TrainingError(
                "fusion", found=str(error), expected="enough items or groups for every fold"
            ) from error
        best = max(found, key=lambda s: (found[s], s))
        scaler, ridge = (step for _, step in model(best).fit(beside, truth).steps)  # type: ignore[attr-defined]
        slope = ridge.coef_ / scaler.scale_
        slopes.append(slope)
        offsets.append(float(ridge.intercept_ - slope @ scaler.mean_))
        strengths.append(best)
        scores.append(found)
    return RidgeFit(LinearFusion(np.array(slopes), np.array(offsets)), tuple(strengths), tuple(scores))
