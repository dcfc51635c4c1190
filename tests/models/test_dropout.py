"""The quick dropout is dropout: right shares, right scale, the same for a seed, nothing in evaluation."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from emojudge.models.dropout import QuickDropout, keep_mask, quick_dropout  # noqa: E402


@pytest.mark.parametrize("dropout", [0.05, 0.1, 0.5, 0.9])
def test_as_much_is_kept_as_is_asked_for(dropout: float):
    torch.manual_seed(0)
    mask, share = keep_mask((1000, 1001), dropout)
    assert share == pytest.approx(1 - dropout, abs=1 / 65536)
    sigma = (dropout * (1 - dropout) / mask.numel()) ** 0.5
    assert mask.double().mean().item() == pytest.approx(share, abs=5 * sigma)
    # Neighbours come from one draw, and must not know of each other.
    both = (mask[:, :-1] & mask[:, 1:]).double().mean().item()
    assert both == pytest.approx(share**2, abs=10 * sigma)


@given(st.lists(st.integers(0, 5), max_size=3), st.floats(0.01, 0.99))
def test_any_shape(shape: list[int], dropout: float):
    assert keep_mask(shape, dropout)[0].shape == tuple(shape)


def test_what_is_kept_is_scaled_and_so_is_its_slope():
    model = nn.Sequential(nn.Dropout(0.25), nn.Linear(3, 3))
    quick_dropout(model)
    assert isinstance(model[0], QuickDropout)
    torch.manual_seed(0)
    hidden = torch.ones(200, 300, requires_grad=True)
    dropped = model[0](hidden)
    assert sorted(dropped.detach().unique().tolist()) == pytest.approx([0.0, 4 / 3])
    dropped.sum().backward()
    assert torch.equal(hidden.grad, dropped.detach())
    torch.manual_seed(0)
    assert torch.equal(model[0](hidden), dropped)
    assert not torch.equal(model[0](hidden), dropped)


@pytest.mark.parametrize("p", [0.0, 1.0, 1e-7, 1 - 1e-7])
def test_the_ends_of_the_range(p: float):
    dropped = QuickDropout(p)(torch.ones(1000))
    assert dropped.mean().item() == (1.0 if p < 0.5 else 0.0)


def test_evaluation_changes_nothing():
    hidden = torch.randn(4, 5)
    assert QuickDropout(0.5).eval()(hidden) is hidden
