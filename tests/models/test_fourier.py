"""The convolution in Fourier space against torch's own in float64, forward and back."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from transformers import HubertConfig, HubertModel  # noqa: E402

from emojudge.models.fourier import convolve, quicken_positions  # noqa: E402


@settings(deadline=None, max_examples=30)
@given(
    frames=st.integers(1, 120), kernel=st.sampled_from([1, 2, 5, 16, 128]), groups=st.sampled_from([1, 2, 4]),
    batch=st.integers(1, 3), bias=st.booleans(),
)  # fmt: skip
def test_outputs_and_slopes_are_those_of_float64(
    frames: int, kernel: int, groups: int, batch: int, bias: bool
):
    torch.manual_seed(0)
    shapes = [(batch, 8, frames), (12, 8 // groups, kernel), (12,)][: 2 + bias]
    ours = [torch.randn(shape, requires_grad=True) for shape in shapes]
    theirs = [each.detach().double().requires_grad_() for each in ours]
    told = {"padding": kernel // 2, "groups": groups}
    found = convolve(*ours, *([] if bias else [None]), **told)
    expected = torch.nn.functional.conv1d(*theirs, **told)
    slope = torch.randn(expected.shape)
    (found * slope).sum().backward()
    (expected * slope).sum().backward()
    pairs = [(found, expected), *((one.grad, other.grad) for one, other in zip(ours, theirs, strict=True))]
    for one, other in pairs:
        torch.testing.assert_close(one.double(), other, atol=1e-5 * (other.abs().max().item() + 1), rtol=0)


@pytest.mark.parametrize("way", ["autocast", "float64", "export"])
def test_elsewhere_it_is_torchs(way: str, monkeypatch: pytest.MonkeyPatch):
    kind = torch.float64 if way == "float64" else torch.float32
    inputs, weight = torch.randn(1, 4, 9, dtype=kind), torch.randn(4, 4, 3, dtype=kind)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: way == "export")
    with torch.autocast("cpu", enabled=way == "autocast", dtype=torch.bfloat16):
        found = convolve(inputs, weight, None, padding=1, groups=1)
        assert torch.equal(found, torch.nn.functional.conv1d(inputs, weight, padding=1))


def test_an_encoder_has_it_with_its_own_normalised_weights():
    encoder = HubertModel(
        HubertConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            conv_dim=(8,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
        )
    ).eval()  # fmt: skip
    positions, hidden = encoder.encoder.pos_conv_embed, torch.randn(2, 30, 16, requires_grad=True)
    expected = positions(hidden)
    quicken_positions(encoder)
    found = positions(hidden)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert any("Fft" in name for name in graph(found))
    assert not any("Fft" in name for name in graph(expected))


def graph(output: torch.Tensor) -> set[str]:
    """Names of the operations that it came from."""
    seen, todo = set(), [output.grad_fn]
    while todo:
        one = todo.pop()
        if one is not None and one not in seen:
            seen.add(one)
            todo += [each for each, _ in one.next_functions]
    return {type(one).__name__ for one in seen}
