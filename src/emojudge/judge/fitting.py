"""What tuning needs scikit-learn for, and judging does not: calibrations of confidence, and folds."""

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from emojudge.errors import JudgeError, MissingExtraError
from emojudge.judge.decision import Calibration, logit

LEAST = 10  # answers of either kind, right and wrong, under which there is nothing to fit

# What is tried: confidence as it comes, and its two calibrations, to be fitted.
KINDS: tuple[Calibration | None, ...] = (
    None,
    Calibration(kind="platt"),
    Calibration(kind="isotonic", xs=(0.0, 1.0), ys=(0.0, 1.0)),
)


def fit_calibration(
    kind: Literal["isotonic", "platt"], confidence: NDArray[np.floating], right: NDArray[np.bool_]
) -> Calibration:
    """The calibration that turns confidences `(answers,)` into shares of right answers.

    With fewer than LEAST right or wrong answers it is flat: the share that is right, seen with one more of
    each (Laplace), whatever the confidence.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.isotonic import IsotonicRegression
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("tuning a judge", "train") from error
    values, hits = np.asarray(confidence, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if min(hits.sum(), len(hits) - hits.sum()) < LEAST or np.ptp(values) == 0:
        share = float((hits.sum() + 1) / (len(hits) + 2))
        return Calibration(kind="isotonic", xs=(0.0, 1.0), ys=(share, share))
    if kind == "platt":
        model = LogisticRegression(C=1e6).fit(logit(values)[:, None], hits)
        slope = max(0.0, float(model.coef_[0, 0]))  # more confidence is never a reason to believe less
        if slope > 0:
            return Calibration(kind="platt", slope=slope, intercept=float(model.intercept_[0]))
        share = float(hits.mean())
        return Calibration(kind="isotonic", xs=(0.0, 1.0), ys=(share, share))
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(values, hits)
    xs, ys = isotonic.X_thresholds_.tolist(), isotonic.y_thresholds_.tolist()
    return Calibration(kind="isotonic", xs=tuple(xs), ys=tuple(ys))


def divide(
    truth: NDArray[Any], groups: NDArray[np.int64] | None, folds: int, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Training and test items of each fold, with about as many of each label in all; no group on two sides.

    Args:
        truth: labels `(items,)`, or figures `(items, ...)`, which are not balanced.
        groups: one number per item, such as its speaker's.

    Raises:
        JudgeError: fewer groups than folds.
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold
    except ImportError as error:
        raise MissingExtraError("tuning a judge", "train") from error
    strata = truth if truth.ndim == 1 else np.zeros(len(truth), dtype=int)
    how = {"n_splits": folds, "shuffle": True, "random_state": seed}
    if groups is not None:
        if len(np.unique(groups)) < folds:
            found = f"{len(np.unique(groups))} groups"
            expected = f"at least {folds}, and in each fold's training part as many"
            raise JudgeError("tuning", found=found, expected=expected, advice="Ask for fewer folds.")
        splitter = StratifiedGroupKFold(**how)
    elif np.unique(strata, return_counts=True)[1].max() < folds:
        splitter = KFold(**how)
    else:
        splitter = StratifiedKFold(**how)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a label with fewer items than folds is in some only
        return list(splitter.split(truth, strata, groups))
