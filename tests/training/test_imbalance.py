"""Rare emotions: losses, logits and draws against their formulas, number by number."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.emotions import EMOTIONS  # noqa: E402
from emojudge.recipe import TrainingSettings  # noqa: E402
from emojudge.training.batching import epoch_batches  # noqa: E402
from emojudge.training.data import Batch  # noqa: E402
from emojudge.training.imbalance import (  # noqa: E402
    balance,
    drop_majority_votes,
    prior_shift,
    vector_scaling,
)
from emojudge.training.steps import Objective  # noqa: E402

COUNTS = np.array([50.0, 10, 400, 5, 2, 30, 0, 900])


def softmax(row: np.ndarray) -> np.ndarray:
    powers = np.exp(row - row.max())
    return powers / powers.sum()


@pytest.mark.parametrize(("gamma", "tau"), [(0.0, 1.0), (0.3, 1.0), (0.15, 0.5)])
def test_the_vs_loss_is_its_formula(gamma: float, tau: float):
    """-log of softmax(Δ z + ι) at the label, Δ = (n / n_max)^γ and ι = τ log(n / N), in float64."""
    counts = [max(1.0, count) for count in COUNTS]
    logits = np.random.default_rng(0).normal(size=(5, 8)) * 2
    labels = [0, 3, 7, 4, 2]
    expected = 0.0
    for row, label in zip(logits, labels, strict=True):
        changed = [
            (n / max(counts)) ** gamma * z + tau * math.log(n / sum(counts))
            for z, n in zip(row, counts, strict=True)
        ]
        expected -= math.log(softmax(np.array(changed))[label]) / len(labels)
    scaling = tuple(torch.tensor(part) for part in vector_scaling(COUNTS, gamma, tau))
    objective = Objective(TrainingSettings(focal_gamma=0), ("emotion",), torch.ones(8), scaling)
    batch = Batch(
        torch.zeros(5, 1), torch.ones(5), torch.eye(8)[labels], torch.full((5, 3), torch.nan),
        torch.ones(5, 8, dtype=torch.bool), torch.full((5, 18), torch.nan),
    )  # fmt: skip
    assert objective(torch.tensor(logits), batch).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("power", "tau"), [(0.0, 0.0), (0.5, 0.0), (0.0, 1.0), (1.0, 0.0)])
def test_a_known_prior_gives_bayes_posterior(power: float, tau: float):
    """A model that learnt p(x | y) π^(1 - power - τ) is moved to p(x | y) π_known, by Bayes' rule."""
    likelihood = np.random.default_rng(1).uniform(0.1, 1.0, 8)
    counts = COUNTS + 1
    prior = counts / counts.sum()
    learnt = np.log(likelihood) + (1 - power - tau) * np.log(prior)
    uniform = softmax(learnt + prior_shift(counts, None, power, tau))
    np.testing.assert_allclose(uniform, likelihood / likelihood.sum(), atol=1e-12)
    known = dict(zip(EMOTIONS, np.linspace(1, 8, 8), strict=True))
    posterior = likelihood * np.linspace(1, 8, 8)
    moved = softmax(learnt + prior_shift(counts, known, power, tau))
    np.testing.assert_allclose(moved, posterior / posterior.sum(), atol=1e-12)


def test_balanced_epochs_have_as_many_of_each_emotion():
    labels = np.repeat([0, 2, 7, 4], [30, 100, 400, 11])
    emotions = np.eye(8, dtype=np.float32)[labels]
    undecided = np.zeros((6, 8), dtype=np.float32)
    undecided[:, :2] = 0.5
    emotions = np.concatenate([emotions, undecided])
    repeats, strata = balance(emotions, np.ones(len(emotions)))
    seen = []
    for epoch in range(3):
        batches = epoch_batches(np.ones(len(emotions), dtype=np.int64), repeats, 8, 0, epoch, strata)
        drawn = np.concatenate(batches)
        assert np.bincount(strata[drawn], minlength=8).tolist() == [11, 0, 11, 0, 11, 0, 0, 11]
        seen.append(set(drawn.tolist()))
    assert not any(row in drawn for drawn in seen for row in range(541, 547))
    assert len(seen[0] | seen[1] | seen[2]) > len(seen[0])  # others each time


def test_annotation_dropout():
    """The commonest emotion's votes go from its share of the items, never the last vote of an item."""
    votes = np.zeros((4000, 8), dtype=np.float32)
    votes[:2000, [7, 1, 2]] = [0.5, 0.3, 0.2]
    votes[2000:3000, 7] = 1.0
    votes[3000:, 4] = 1.0
    kept = drop_majority_votes(votes, 7, 0.2, np.random.default_rng(0))
    np.testing.assert_allclose(kept.sum(axis=1), 1.0, atol=1e-6)
    changed = (kept != votes).any(axis=1)
    assert not changed[2000:].any()
    assert changed.mean() * 2 == pytest.approx(0.2, abs=0.03)
    np.testing.assert_allclose(kept[changed][:, [7, 1, 2]], [[0, 0.6, 0.4]] * int(changed.sum()), atol=1e-6)
