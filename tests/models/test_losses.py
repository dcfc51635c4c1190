"""Focal and concordance loss against their formulas in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.models.losses import ConcordanceLoss, concordance, focal_loss, focal_terms  # noqa: E402

CLASSES = 5
logit_rows = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 6), st.just(CLASSES)), elements=st.floats(-20, 20)
)


def soft(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(CLASSES, 0.5), size=rows)


def reference(logits: np.ndarray, targets: np.ndarray, weights: np.ndarray, gamma: float) -> float:
    """-Σ α (1 - p)^γ t log p over Σ α t, number by number."""
    total = scale = 0.0
    for row, target in zip(logits, targets, strict=True):
        powers = np.exp(row - row.max())
        for p, t, weight in zip(powers / powers.sum(), target, weights, strict=True):
            total -= weight * t * (1 - p) ** gamma * np.log(p)
            scale += weight * t
    return total / scale


@settings(max_examples=60, deadline=None)
@given(logits=logit_rows, gamma=st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]), seed=st.integers(0, 99))
def test_focal_loss_is_its_formula(logits: np.ndarray, gamma: float, seed: int):
    targets, weights = soft(len(logits), seed), np.random.default_rng(seed).uniform(0.1, 9, CLASSES)
    ours = focal_loss(torch.from_numpy(logits), torch.from_numpy(targets), torch.from_numpy(weights), gamma)
    assert ours.item() == pytest.approx(reference(logits, targets, weights, gamma), rel=1e-6, abs=1e-9)
    single = focal_loss(*(torch.from_numpy(a).float() for a in (logits, targets, weights)), gamma)
    assert single.item() == pytest.approx(ours.item(), rel=1e-3, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(logits=logit_rows, seed=st.integers(0, 99))
def test_gamma_0_is_torchs_weighted_cross_entropy(logits: np.ndarray, seed: int):
    generator = np.random.default_rng(seed)
    labels = torch.from_numpy(generator.integers(CLASSES, size=len(logits)))
    weights = torch.from_numpy(generator.uniform(0.1, 9, CLASSES))
    targets = torch.nn.functional.one_hot(labels, CLASSES).double()
    ours = focal_loss(torch.from_numpy(logits), targets, weights, gamma=0.0)
    theirs = torch.nn.functional.cross_entropy(torch.from_numpy(logits), labels, weights)
    torch.testing.assert_close(ours, theirs)


def test_gamma_turns_attention_to_what_is_hard():
    logits = torch.tensor([[4.0, 0, 0, 0, 0], [0, 1, 0, 0, 0.0]])
    targets = torch.eye(CLASSES)[:2]
    shares = []
    for gamma in (0.0, 1.0, 2.0):
        terms, _ = focal_terms(logits, targets, gamma=gamma)
        shares.append(float(terms[1] / terms.sum()))
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_gradient_by_finite_differences(gamma: float):
    torch.manual_seed(0)
    logits = torch.randn(4, CLASSES, dtype=torch.float64, requires_grad=True)
    targets, weights = torch.from_numpy(soft(4, 1)), torch.tensor([1.0, 2, 0.5, 3, 1], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: focal_loss(x, targets, weights, gamma), (logits,))


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("size", [0.0, 30.0, 1e4])
def test_focal_loss_is_finite_for_certain_predictions(gamma: float, size: float):
    """Certain and right, certain and wrong: p is 1 or 0 in float32, and no power of 0 may make it NaN."""
    logits = torch.tensor([[size, 0, 0, 0, 0], [size, 0, 0, 0, 0]], requires_grad=True)
    focal_loss(logits, torch.eye(CLASSES)[[0, 1]], gamma=gamma).backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[1, 1] < 0  # towards the label


def test_rows_of_zeros_contribute_nothing():
    torch.manual_seed(0)
    logits = torch.randn(4, CLASSES, requires_grad=True)
    targets = torch.from_numpy(soft(4, 3)).float()
    targets[[1, 3]] = 0
    loss = focal_loss(logits, targets)
    torch.testing.assert_close(loss, focal_loss(logits[[0, 2]], targets[[0, 2]]))
    (slope,) = torch.autograd.grad(loss, [logits])
    assert not slope[[1, 3]].any()
    assert slope[[0, 2]].any(dim=1).all()


def test_nothing_known_is_0_with_a_gradient_of_0():
    logits = torch.randn(3, CLASSES, requires_grad=True)
    loss = focal_loss(logits, torch.zeros(3, CLASSES))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_what_could_not_be_chosen_is_not_taught():
    """An emotion that a corpus has no label for gets no gradient, and the others' probabilities sum to 1."""
    torch.manual_seed(0)
    logits = torch.randn(3, CLASSES, requires_grad=True)
    targets = torch.eye(CLASSES)[[0, 1, 0]]
    choices = torch.tensor([True, True, True, False, False]).expand(3, CLASSES)
    terms, scale = focal_terms(logits, targets, gamma=2.0, choices=choices)
    fewer, _ = focal_terms(logits[:, :3], targets[:, :3], gamma=2.0)
    torch.testing.assert_close(terms, fewer)
    assert scale.tolist() == [1, 1, 1]
    (slope,) = torch.autograd.grad(terms.sum(), [logits])
    assert not slope[:, 3:].any()


def ccc_reference(p: np.ndarray, t: np.ndarray, epsilon: float) -> float:
    """Lin 1989 with population moments, by definition."""
    covariance = sum((a - p.mean()) * (b - t.mean()) for a, b in zip(p, t, strict=True)) / len(p)
    return (2 * covariance + epsilon) / (p.var() + t.var() + (p.mean() - t.mean()) ** 2 + epsilon)


@settings(max_examples=60, deadline=None)
@given(
    values=hnp.arrays(np.float64, st.tuples(st.integers(2, 9), st.just(6)), elements=st.floats(-1, 1)),
)
def test_concordance_is_its_formula(values: np.ndarray):
    p, t = values[:, :3], values[:, 3:]
    ours = concordance(torch.from_numpy(p), torch.from_numpy(t)).numpy()
    for column in range(3):
        assert ours[column] == pytest.approx(ccc_reference(p[:, column], t[:, column], 1e-8), abs=1e-6)


def test_concordance_of_ordinary_ratings():
    """Where the ratings spread at all, the epsilon is not to be seen, in float32 either."""
    generator = np.random.default_rng(0)
    t = generator.uniform(-1, 1, (40, 3))
    p = 0.5 * t + generator.normal(0.1, 0.2, (40, 3))
    expected = [ccc_reference(p[:, i], t[:, i], 0.0) for i in range(3)]
    np.testing.assert_allclose(concordance(torch.from_numpy(p), torch.from_numpy(t)), expected, atol=1e-7)
    loss = ConcordanceLoss()(torch.from_numpy(p).float(), torch.from_numpy(t).float())
    assert loss.item() == pytest.approx(3 - sum(expected), abs=1e-5)


def test_concordance_gradient_by_finite_differences():
    torch.manual_seed(0)
    predictions = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.randn(6, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: ConcordanceLoss()(p, targets), (predictions,))


@pytest.mark.parametrize("constant", [0.0, 0.3, -0.9])
def test_constant_predictions_have_no_concordance_but_a_gradient_towards_it(constant: float):
    """A fresh model predicts nearly a constant; pushing the predictions apart must pay from there."""
    targets = torch.tensor([[-0.5], [0.0], [0.7]])
    predictions = torch.full((3, 1), constant, requires_grad=True)
    loss = ConcordanceLoss()(predictions, targets)
    loss.backward()
    assert loss.item() == pytest.approx(1.0, abs=1e-5)
    assert predictions.grad.isfinite().all()
    with torch.no_grad():
        better = ConcordanceLoss()(predictions - 0.01 * predictions.grad, targets)
    assert better < loss - 1e-3
    assert predictions.grad[0] > predictions.grad[1] > predictions.grad[2]


def test_constants_on_both_sides():
    same, other = torch.full((4, 1), 0.2), torch.full((4, 1), 0.6)
    assert concordance(same, same).item() == pytest.approx(1.0)
    assert concordance(same, other).item() == pytest.approx(0.0, abs=1e-6)
    for targets in (same, other):
        predictions = same.clone().requires_grad_()
        ConcordanceLoss()(predictions, targets).backward()
        assert predictions.grad.isfinite().all()
