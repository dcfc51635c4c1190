"""The fusion of attributes against plain scikit-learn on the same standardised outputs."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra 'train'")

from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emojudge.errors import TrainingError
from emojudge.evaluation.metrics import ccc
from emojudge.fusion.fit import STRENGTHS
from emojudge.fusion.linear import LinearFusion
from emojudge.fusion.ridge import fit_ridge


def outputs(seed: int, items: int = 200, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of two models on scales of their own, and the truth on 1..7; the text knows the valence best."""
    generator = np.random.default_rng(seed)
    truth = generator.uniform(1, 7, (items, 3))
    audio = 0.1 * (truth + generator.normal(0, noise * np.array([3, 1, 1]), truth.shape)) - 3
    text = 5 * (truth + generator.normal(0, noise * np.array([1, 3, 3]), truth.shape)) + 40
    return audio, text, truth


@pytest.mark.parametrize("by_groups", [False, True])
def test_as_plain_scikit_learn(by_groups: bool):
    audio, text, truth = outputs(1, noise=3.0)
    groups = np.arange(200) % 10 if by_groups else None
    fit = fit_ridge((audio, text), truth, ccc, groups=groups, seed=3)
    both = np.concatenate([audio, text], axis=1)
    fused = fit.fusion(audio, text)
    for attribute in range(3):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": list(STRENGTHS)},
            scoring=make_scorer(ccc),
            cv=GroupKFold(5) if by_groups else KFold(5, shuffle=True, random_state=3),
        ).fit(both, truth[:, attribute], groups=groups)
        theirs = search.cv_results_["mean_test_score"].tolist()
        assert list(fit.scores[attribute].values()) == pytest.approx(theirs)
        assert fit.strengths[attribute] == search.best_params_["ridge__alpha"]
        np.testing.assert_allclose(fused[:, attribute], search.predict(both), atol=1e-5)


def test_it_leans_on_the_better_model_of_each_attribute():
    audio, text, truth = outputs(2, items=600)
    fit = fit_ridge((audio, text), truth, ccc)
    audio, text, truth = outputs(3, items=600)
    fused = fit.fusion(audio, text)
    for attribute in range(3):
        alone = max(ccc(truth[:, attribute], 10 * (audio[:, attribute] + 3)),
                    ccc(truth[:, attribute], (text[:, attribute] - 40) / 5))  # fmt: skip
        assert ccc(truth[:, attribute], fused[:, attribute]) > alone


def test_a_constant_output_does_no_harm():
    audio, text, truth = outputs(4)
    audio[:, 1] = 7.0
    fit = fit_ridge((audio, text), truth, ccc)
    assert np.isfinite(fit.fusion.coefficients).all()
    assert not fit.fusion.coefficients[:, 1].any()


def test_written_out():
    fusion = LinearFusion(np.arange(18.0).reshape(3, 6), np.arange(3.0))
    given = fusion(np.full((1, 3), 2.0), np.full((1, 3), -1.0))[0]
    rows = np.arange(18).reshape(3, 6)
    np.testing.assert_allclose(given, [2 * sum(r[:3]) - sum(r[3:]) + i for i, r in enumerate(rows)])


def test_too_little_to_fit_on_is_said():
    audio, text, truth = outputs(5, items=4)
    with pytest.raises(TrainingError, match="enough items or groups"):
        fit_ridge((audio, text), truth, ccc)
