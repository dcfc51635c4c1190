"""Attention item by item gives what whole tensors give, forwards and backwards, dropout included."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.models.gated_attention import gated_attention  # noqa: E402

LENGTHS = [7, 4, 1]


def inputs(dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    torch.manual_seed(0)
    shapes = [(3, 2, 7, 4)] * 3 + [(3, 2, 7), (2, 7, 7)]
    return [torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes]


def reference(query, key, value, gate, position):
    scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5 + gate[..., None] * position
    beyond = torch.arange(7)[None, :] >= torch.tensor(LENGTHS)[:, None]
    weights = scores.masked_fill(beyond[:, None, None, :], float("-inf")).softmax(dim=-1)
    return (weights @ value).masked_fill(beyond[:, None, :, None], 0.0)


def test_outputs_and_slopes_are_those_of_whole_tensors():
    given = inputs()
    expected = reference(*given)
    slopes = torch.autograd.grad(expected.sin().sum(), given)
    found = gated_attention(*given, LENGTHS)
    torch.testing.assert_close(found, expected)
    for slope, true in zip(torch.autograd.grad(found.sin().sum(), given), slopes, strict=True):
        torch.testing.assert_close(slope, true)


def test_slopes_under_dropout_are_those_of_the_same_draw():
    def seeded(*given: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        return gated_attention(*given, LENGTHS, 0.4)

    assert torch.autograd.gradcheck(seeded, inputs(), fast_mode=False)


def test_dropout_leaves_the_mean_where_it_is():
    with torch.no_grad():
        given = inputs(torch.float32)
        plain = gated_attention(*given, LENGTHS)
        draws = torch.stack([gated_attention(*given, LENGTHS, 0.3) for _ in range(4000)])
    assert draws.std(dim=0)[0].min() > 0.01
    torch.testing.assert_close(draws.mean(dim=0), plain, atol=0.05, rtol=0.0)


def test_a_bias_that_is_not_trained_has_no_slope():
    given = inputs()
    given[4].requires_grad_(False)
    gated_attention(*given, LENGTHS, 0.1).sum().backward()
    assert given[4].grad is None
    assert all(tensor.grad is not None for tensor in given[:4])
