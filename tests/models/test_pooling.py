"""Attentive statistics pooling against a loop in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.models.padding import length_mask  # noqa: E402
from emojudge.models.pooling import (  # noqa: E402
    MIN_VARIANCE,
    AttentiveStatisticsPooling,
    LayerWeights,
    weighted_statistics,
)


def reference(hidden: np.ndarray, pooling: AttentiveStatisticsPooling) -> np.ndarray:
    """Equations 3 to 6 of Okabe et al. 2018, frame by frame; `(frames, features)` of one item."""
    weight, bias = (p.detach().double().numpy() for p in (pooling.hidden.weight, pooling.hidden.bias))
    attention = pooling.attention.detach().double().numpy()
    scores = [float(attention @ np.tanh(weight @ frame + bias)) for frame in hidden]
    powers = [np.exp(score - max(scores)) for score in scores]
    shares = [power / sum(powers) for power in powers]
    mean = sum(share * frame for share, frame in zip(shares, hidden, strict=True))
    square = sum(share * (frame - mean) ** 2 for share, frame in zip(shares, hidden, strict=True))
    return np.concatenate([mean, np.sqrt(np.maximum(square, MIN_VARIANCE))])


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    scale=st.sampled_from([0.01, 1.0, 30.0]),
    offset=st.sampled_from([0.0, 100.0]),
)
def test_as_the_loop_has_it(lengths: list[int], seed: int, scale: float, offset: float):
    torch.manual_seed(seed)
    pooling = AttentiveStatisticsPooling(5)
    torch.nn.init.normal_(pooling.attention)  # it starts at 0, without attention
    hidden = torch.randn(len(lengths), max(lengths), 5) * scale + offset
    mask = length_mask(torch.tensor(lengths), max(lengths))
    hidden[~mask] = 1e3  # padding is not zero after an encoder
    pooled = pooling(hidden, mask).detach().numpy()
    for row, frames in enumerate(lengths):
        expected = reference(hidden[row, :frames].double().numpy(), pooling)
        np.testing.assert_allclose(pooled[row], expected, rtol=1e-3, atol=2e-4 * max(1, scale))


def test_without_attention_it_is_mean_and_deviation():
    pooling = AttentiveStatisticsPooling(3)
    hidden = torch.randn(2, 40, 3)
    pooled = pooling(hidden, torch.ones(2, 40, dtype=torch.bool))
    expected = torch.cat([hidden.mean(dim=1), hidden.std(dim=1, correction=0)], dim=1)
    torch.testing.assert_close(pooled, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 7])
def test_gradient_is_finite_for_constant_input(frames: int):
    pooling = AttentiveStatisticsPooling(4)
    hidden = torch.ones(2, frames, 4, requires_grad=True)
    pooled = pooling(hidden, torch.ones(2, frames, dtype=torch.bool))
    pooled.square().sum().backward()
    assert hidden.grad.isfinite().all()
    assert hidden.grad.abs().max() > 0
    assert all(p.grad.isfinite().all() for p in pooling.parameters())


def test_gradient_by_finite_differences():
    torch.manual_seed(0)
    pooling = AttentiveStatisticsPooling(3).double()
    mask = length_mask(torch.tensor([4, 2]), 4)
    hidden = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda h: pooling(h, mask), (hidden,))


def test_penalty_is_the_sum_of_squares_of_the_attention_parameters():
    pooling = AttentiveStatisticsPooling(4)
    before = pooling.penalty().item()
    values = [*pooling.hidden.weight.detach().flatten().tolist(), *pooling.attention.detach().tolist()]
    assert before == pytest.approx(sum(value**2 for value in values), rel=1e-5)
    pooling.penalty().backward()
    torch.optim.SGD(pooling.parameters(), lr=0.1).step()
    assert pooling.penalty().item() == pytest.approx(before * 0.64, rel=1e-5)  # 0.8² in both


def test_layer_weights_are_a_softmax_over_layers():
    """Layer by layer in float64; fresh, it is the layers' mean."""
    torch.manual_seed(0)
    weights = LayerWeights(3).double()
    states = [torch.randn(2, 5, 4, dtype=torch.float64) for _ in range(3)]
    beside = torch.cat(states, dim=2)
    torch.testing.assert_close(weights(beside), torch.stack(states).mean(dim=0))
    with torch.no_grad():
        weights.logits.copy_(torch.tensor([0.5, -1.0, 2.0]))
    powers = np.exp([0.5, -1.0, 2.0])
    expected = sum(p * s.numpy() for p, s in zip(powers / powers.sum(), states, strict=True))
    np.testing.assert_allclose(weights(beside).detach().numpy(), expected, atol=1e-12)
    weights(beside).square().sum().backward()
    assert (weights.logits.grad != 0).all()


def test_statistics_keep_their_digits_where_autocast_is_on():
    """A deviation of 1 around a mean of 100, of which bfloat16 knows two digits and a half."""
    hidden = 100 + torch.randn(2, 400, 3, generator=torch.Generator().manual_seed(0))
    weights = torch.full((2, 400), 1 / 400)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = weighted_statistics(hidden, weights)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooled[:, :3], hidden.mean(dim=1))
    torch.testing.assert_close(pooled[:, 3:], hidden.std(dim=1, correction=0))
