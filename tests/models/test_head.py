"""The residual head."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.models.head import ResidualHead  # noqa: E402


def silence(block: torch.nn.Sequential) -> None:
    """Make a block's output 0: LayerNorm's scale and shift are what it ends in before the ReLU."""
    torch.nn.init.zeros_(block[1].weight)
    torch.nn.init.zeros_(block[1].bias)


def test_a_silent_hidden_block_hands_its_input_on():
    """Without the residual, every item would get the output layer's bias."""
    torch.manual_seed(0)
    head = ResidualHead(6, 3, width=8, layers=3).eval()
    pooled = torch.randn(4, 6)
    for block in head.blocks[1:]:
        silence(block)
    torch.testing.assert_close(head(pooled), head.output(head.blocks[0](pooled)))


def test_a_silent_first_block_has_no_residual():
    head = ResidualHead(8, 3, width=8, layers=1).eval()
    silence(head.blocks[0])
    torch.testing.assert_close(head(torch.randn(4, 8)), head.output.bias.expand(4, 3))


def test_written_out():
    torch.manual_seed(1)
    head = ResidualHead(6, 3, width=8, layers=3).eval()
    pooled = torch.randn(5, 6)
    hidden = None
    for linear, norm, _relu, _dropout in head.blocks:
        before = pooled if hidden is None else hidden
        value = torch.nn.functional.layer_norm(linear(before), (8,), norm.weight, norm.bias).clamp(min=0)
        hidden = value if hidden is None else hidden + value
    torch.testing.assert_close(head(pooled), head.output(hidden))


def test_shapes_and_dropout():
    head = ResidualHead(6, 11, width=16, layers=2, dropout=0.5)
    pooled = torch.randn(2, 6)
    assert head(pooled).shape == (2, 11)
    assert not torch.equal(head(pooled), head(pooled))
    head.eval()
    assert torch.equal(head(pooled), head(pooled))


def test_standardised_features_have_no_size_of_their_own():
    torch.manual_seed(2)
    head = ResidualHead(6, 3, width=8, layers=2).eval()
    pooled = torch.randn(50, 6) * torch.logspace(-2, 2, 6) + torch.arange(6.0)
    expected = head((pooled - pooled.mean(0)) / pooled.std(0))
    head.standardise(pooled.mean(0), pooled.std(0))
    torch.testing.assert_close(head(pooled), expected, atol=1e-4, rtol=1e-4)
    head.standardise(torch.zeros(6), torch.zeros(6))  # features that never vary
    assert head(pooled).isfinite().all()
