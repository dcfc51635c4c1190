"""Manifold mixup: the loss of the mixtures, cut in micro-batches or not, and how often it comes."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.models.losses import focal_loss  # noqa: E402
from emojudge.recipe import MixupSettings, TrainingSettings  # noqa: E402
from emojudge.training import steps  # noqa: E402
from emojudge.training.data import Batch  # noqa: E402
from emojudge.training.mixup import Mixing, draw_mixing  # noqa: E402


class Linear(torch.nn.Module):
    """Features that are the inputs, and a head without a bend: what mixes before it mixes after it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = torch.nn.Linear(6, 11)

    def forward(self, inputs, lengths, mix=None):
        return self.head(inputs if mix is None else mix(inputs))


def batch(items: int = 12) -> Batch:
    torch.manual_seed(1)
    return Batch(
        torch.randn(items, 6), torch.full((items,), 6), torch.eye(8)[torch.arange(items) % 8],
        torch.rand(items, 3), torch.ones(items, 8, dtype=torch.bool), torch.full((items, 18), torch.nan),
    )  # fmt: skip


def test_a_mixing_is_linear_in_features_and_targets():
    mix, items = Mixing(0.7, torch.tensor([2, 0, 1])), batch(3)
    torch.testing.assert_close(mix(items.inputs)[0], 0.7 * items.inputs[0] + 0.3 * items.inputs[2])
    items.choices[:] = torch.eye(8, dtype=torch.bool)[:3]
    items.attributes[0] = torch.nan
    items.auxiliary[1:, 0] = torch.tensor([0.0, 1.0])
    mixed = mix.targets(items)
    torch.testing.assert_close(mixed.emotions.sum(dim=1), torch.ones(3))
    assert mixed.choices.sum(dim=1).tolist() == [2, 2, 2]
    assert mixed.attributes.isnan().any(dim=1).tolist() == [True, True, False]
    assert mixed.auxiliary[2, 0].item() == pytest.approx(0.7)
    assert mixed.auxiliary.isnan().sum().item() == 3 * 18 - 1


@pytest.mark.parametrize("two_pass", [False, True])
def test_the_step_is_that_of_the_mixed_whole_batch(monkeypatch: pytest.MonkeyPatch, two_pass: bool):
    """Mixed by hand and in float64: the micro-batches' gradients sum to that of all mixtures together."""
    drawn = [Mixing(0.7, torch.tensor([3, 2, 1, 0])), None, Mixing(0.4, torch.tensor([1, 0, 3, 2]))]
    given = iter(drawn)
    monkeypatch.setattr(steps, "draw_mixing", lambda *_: next(given))
    settings = TrainingSettings(accumulation=3, mixup=MixupSettings(), focal_gamma=2.0)
    items, weights = batch(), torch.linspace(0.5, 2, 8)
    model = Linear()
    loss = steps.backward(model, items, steps.Objective(settings, ("emotion",), weights), settings, two_pass)
    whole = Linear().double()
    parts = [slice(0, 4), slice(4, 8), slice(8, 12)]

    def mixed(values: torch.Tensor) -> torch.Tensor:
        pairs = zip(parts, drawn, strict=True)
        return torch.cat([values[p] if m is None else m(values[p]) for p, m in pairs]).double()

    expected = focal_loss(
        whole.head(mixed(items.inputs))[:, :8], mixed(items.emotions), weights.double(), 2.0
    )
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(model.head.weight.grad.double(), whole.head.weight.grad, atol=1e-6, rtol=1e-4)


def test_how_often_and_how_much():
    torch.manual_seed(0)
    drawn = [draw_mixing(MixupSettings(p=0.3, beta=0.2), 5) for _ in range(4000)]
    shares = torch.tensor([mix.share for mix in drawn if mix])
    assert len(shares) / 4000 == pytest.approx(0.3, abs=0.03)
    assert shares.mean().item() == pytest.approx(0.5, abs=0.04)
    assert shares.var().item() == pytest.approx(1 / (4 * 1.4), abs=0.02)  # of Beta(b, b): 1 / (4 (2 b + 1))
    assert draw_mixing(None, 5) is None


@pytest.mark.parametrize("kind", ["acoustic", "linguistic"])
def test_models_mix_what_their_head_reads(tiny_acoustic, tiny_linguistic, kind: str):
    """An item mixed with itself is itself; all of the partner and nothing of the item is the partner."""
    model = {"acoustic": tiny_acoustic, "linguistic": tiny_linguistic}[kind]
    inputs = SimpleNamespace(acoustic=torch.randn(2, 4000), linguistic=torch.tensor([[2, 5, 6], [2, 8, 3]]))
    given, lengths = getattr(inputs, kind), torch.tensor([4000 if kind == "acoustic" else 3] * 2)
    with torch.no_grad():
        plain = model(given, lengths)
        torch.testing.assert_close(model(given, lengths, Mixing(0.3, torch.tensor([0, 1]))), plain)
        torch.testing.assert_close(model(given, lengths, Mixing(0.0, torch.tensor([1, 0]))), plain.flip(0))
