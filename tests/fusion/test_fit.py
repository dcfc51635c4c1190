"""The late fusion against plain scikit-learn on the same standardised logits."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="needs the extra 'train'")

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

from emojudge.emotions import EMOTIONS
from emojudge.errors import TrainingError
from emojudge.fusion.calibration import softmax
from emojudge.fusion.fit import STRENGTHS, fit_fusion
from emojudge.fusion.linear import LinearFusion


def logits(
    labels: np.ndarray, seed: int, noise: float = 2.0, scale: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Of two models, the second of which is the surer, on a scale of its own."""
    generator = np.random.default_rng(seed)
    truth = np.eye(len(EMOTIONS))[labels]
    audio = truth + generator.normal(0, noise, truth.shape)
    text = 3 * truth + generator.normal(0, noise, truth.shape)
    return audio * scale + 5, text * 10 * scale - 40


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(len(EMOTIONS), size=240)


def test_as_plain_scikit_learn(labels: np.ndarray):
    audio, text = logits(labels, 1)
    fit = fit_fusion((audio, text), labels, seed=3)
    both = np.concatenate([audio, text], axis=1)
    standard = (both - both.mean(axis=0)) / both.std(axis=0)
    theirs = LogisticRegression(C=fit.strength, max_iter=2000).fit(standard, labels)
    scores = softmax(fit.fusion(audio, text))
    np.testing.assert_allclose(scores, theirs.predict_proba(standard), atol=2e-3)
    assert fit.fusion.coefficients.shape == (8, 16)


def test_a_meta_classifier_over_several_systems(labels: np.ndarray):
    """Four systems, each with noise of its own: as scikit-learn has it, and better than the best of them."""
    systems = [part for seed in (1, 2) for part in logits(labels, seed)]
    fit = fit_fusion(systems, labels, seed=3)
    beside = np.concatenate(systems, axis=1)
    standard = (beside - beside.mean(axis=0)) / beside.std(axis=0)
    theirs = LogisticRegression(C=fit.strength, max_iter=2000).fit(standard, labels)
    np.testing.assert_allclose(softmax(fit.fusion(*systems)), theirs.predict_proba(standard), atol=2e-3)
    assert fit.fusion.coefficients.shape == (8, 32)
    fresh = np.random.default_rng(9).integers(len(EMOTIONS), size=1000)
    strange = [part for seed in (11, 12) for part in logits(fresh, seed)]
    right = [float(np.mean(part.argmax(axis=1) == fresh)) for part in (*strange, fit.fusion(*strange))]
    assert right[-1] > max(right[:-1]) + 0.02


@pytest.mark.parametrize("by_groups", [False, True])
def test_strength_is_the_grid_searchs(labels: np.ndarray, by_groups: bool):
    audio, text = logits(labels, 2, noise=4.0)
    groups = np.arange(240) % 12 if by_groups else None
    fit = fit_fusion((audio, text), labels, groups=groups, seed=5)
    assert min(STRENGTHS) == pytest.approx(1e-2)
    assert max(STRENGTHS) == pytest.approx(1e3)
    folds = GroupKFold(5) if by_groups else StratifiedKFold(5, shuffle=True, random_state=5)
    from sklearn.pipeline import make_pipeline

    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        {"logisticregression__C": list(STRENGTHS)},
        scoring="f1_macro",
        cv=folds,
    ).fit(np.concatenate([audio, text], axis=1), labels, groups=groups)
    assert list(fit.scores.values()) == pytest.approx(search.cv_results_["mean_test_score"].tolist())
    assert fit.scores[fit.strength] == pytest.approx(search.best_score_)
    assert fit.strength == min(c for c, score in fit.scores.items() if score == max(fit.scores.values()))


def test_scale_and_offset_of_the_logits_do_not_matter(labels: np.ndarray):
    small, large = (fit_fusion(logits(labels, 1, scale=s), labels) for s in (1.0, 1e3))
    assert small.strength == large.strength
    first = softmax(small.fusion(*logits(labels, 9)))
    second = softmax(large.fusion(*logits(labels, 9, scale=1e3)))
    np.testing.assert_allclose(first, second, atol=2e-3)


@pytest.mark.parametrize("present", [[1, 2, 7], [0, 7], [3, 4]])
def test_emotions_without_examples_never_win(present: list[int]):
    generator = np.random.default_rng(4)
    labels = generator.choice(present, 90)
    audio, text = logits(labels, 3)
    fit = fit_fusion((audio, text), labels)
    absent = np.setdiff1d(np.arange(8), present)
    for scale in (1.0, 100.0, 1e4):  # far beyond what it was fitted on, too
        strange = generator.normal(0, scale, (500, 8)), generator.normal(0, scale, (500, 8))
        fused = fit.fusion(*strange)
        assert (fused[:, absent].max(axis=1) < fused[:, present].max(axis=1)).all()
    both = np.concatenate([audio, text], axis=1)
    standard = (both - both.mean(axis=0)) / both.std(axis=0)
    theirs = LogisticRegression(C=fit.strength, max_iter=2000).fit(standard, labels)
    scores = softmax(fit.fusion(audio, text))
    assert scores[:, absent].sum(axis=1).max() < 1e-3
    scores = scores[:, present]
    np.testing.assert_allclose(
        scores / scores.sum(axis=1, keepdims=True), theirs.predict_proba(standard), atol=2e-3
    )


def test_it_leans_on_the_better_model_and_beats_both():
    labels = np.random.default_rng(1).integers(len(EMOTIONS), size=1500)
    fit = fit_fusion(logits(labels, 6), labels, folds=3)
    audio, text = logits(labels, 7)

    def right(values: np.ndarray) -> float:
        return float(np.mean(values.argmax(axis=1) == labels))

    fused = right(fit.fusion(audio, text))
    assert fused > right(text) > right(audio)


def test_a_constant_logit_does_no_harm(labels: np.ndarray):
    audio, text = logits(labels, 1)
    audio[:, 3] = 7.0
    fit = fit_fusion((audio, text), labels)
    assert np.isfinite(fit.fusion.coefficients).all()
    assert not fit.fusion.coefficients[:, 3].any()


def test_written_out():
    fusion = LinearFusion(np.arange(128.0).reshape(8, 16), np.arange(8.0))
    audio, text = np.full((1, 8), 2.0), np.full((1, 8), -1.0)
    expected = [
        sum(2 * w for w in row[:8]) - sum(row[8:]) + i for i, row in enumerate(np.arange(128).reshape(8, 16))
    ]
    np.testing.assert_allclose(fusion(audio, text)[0], expected)


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (np.zeros(30, dtype=int), None),  # one emotion
        (np.arange(8), None),  # one item of each
        (np.arange(40) % 8, np.arange(40) % 3),  # fewer groups than folds
        (
            np.array([0] * 20 + [1] * 4),
            np.repeat(np.arange(6), 4),
        ),  # a fold without the second emotion is left
    ],
)
def test_too_little_to_fit_on_is_said(labels: np.ndarray, groups: np.ndarray | None):
    audio, text = logits(labels, 0)
    with pytest.raises(TrainingError, match=r"fusion: found .*; expected several emotions, in enough items"):
        fit_fusion((audio, text), labels, groups=groups)
