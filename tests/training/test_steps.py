"""One optimiser step: cut in micro-batches it is the step over the whole batch."""

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.emotions import EMOTIONS  # noqa: E402
from emojudge.errors import TrainingError  # noqa: E402
from emojudge.models.losses import ConcordanceLoss, focal_loss  # noqa: E402
from emojudge.recipe import TrainingSettings  # noqa: E402
from emojudge.training.data import AUXILIARY, Batch  # noqa: E402
from emojudge.training.steps import Objective, backward, output_count, split_outputs  # noqa: E402

BOTH = ("emotion", "attributes")
WEIGHTS = torch.linspace(0.3, 3.0, len(EMOTIONS))


class Toy(torch.nn.Module):
    """The mean of an item's true positions, through a layer with dropout."""

    def __init__(self, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Dropout(dropout), torch.nn.Linear(16, outputs)
        )

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = torch.arange(inputs.shape[1])[None, :] < lengths[:, None]
        mean = (inputs * mask).sum(dim=1) / lengths
        return self.layers(torch.stack([mean, lengths / 10], dim=1))


def batch(items: int, seed: int = 0, *, labelled: float = 0.7, rated: float = 0.7) -> Batch:
    """Items of which some have an emotion, some attributes, some both."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 12, (items,), generator=generator)
    emotions = torch.rand(items, len(EMOTIONS), generator=generator).square()
    emotions = emotions / emotions.sum(dim=1, keepdim=True)
    emotions[torch.rand(items, generator=generator) > labelled] = 0
    attributes = 2 * torch.rand(items, 3, generator=generator) - 1
    attributes[torch.rand(items, generator=generator) > rated] = torch.nan
    inputs = torch.randn(items, int(lengths.max()), generator=generator)
    choices = torch.ones(items, len(EMOTIONS), dtype=torch.bool)
    auxiliary = torch.rand(items, len(AUXILIARY), generator=generator)
    auxiliary[torch.rand(items, generator=generator) > 0.6, 0] = (
        torch.nan
    )  # of some, the gender alone is not known
    auxiliary[torch.rand(items, generator=generator) > 0.6, 1:] = torch.nan
    return Batch(inputs, lengths, emotions, attributes, choices, auxiliary)


def gradient(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def step(tasks, items: Batch, accumulation: int, two_pass: bool = True, dropout: float = 0.0, **options):
    """Loss and gradient of a fresh toy."""
    settings = TrainingSettings(accumulation=accumulation, focal_gamma=2.0, **options)
    model = Toy(output_count(tasks) + (len(AUXILIARY) if settings.auxiliary else 0), dropout)
    objective = Objective(settings, tasks, WEIGHTS)
    torch.manual_seed(11)
    loss = backward(model, items, objective, settings, two_pass)
    return loss, gradient(model)


@pytest.mark.parametrize("tasks", [("emotion",), ("attributes",), BOTH])
@pytest.mark.parametrize("accumulation", [2, 3, 7, 40])
@pytest.mark.parametrize("items", [13, 24])
def test_accumulated_gradient_is_the_whole_batchs(tasks, accumulation: int, items: int):
    whole = step(tasks, batch(items), 1)
    cut = step(tasks, batch(items), accumulation)
    assert cut[0] == pytest.approx(whole[0], abs=1e-6)
    torch.testing.assert_close(cut[1], whole[1], atol=1e-6, rtol=1e-5)
    assert whole[1].abs().max() > 1e-3


@pytest.mark.parametrize("accumulation", [2, 5])
def test_the_focal_loss_needs_one_pass(accumulation: int):
    whole = step(("emotion",), batch(13), 1, two_pass=False)
    cut = step(("emotion",), batch(13), accumulation, two_pass=False)
    assert cut[0] == pytest.approx(whole[0], abs=1e-6)
    torch.testing.assert_close(cut[1], whole[1], atol=1e-6, rtol=1e-5)


def test_the_whole_batchs_loss_is_the_sum_of_its_tasks():
    items = batch(20)
    loss, _ = step(BOTH, items, 4, attributes_weight=0.3)
    with torch.no_grad():
        emotion, attributes = split_outputs(Toy(11)(items.inputs, items.lengths), BOTH)
    rated = ~items.attributes.isnan().any(dim=1)
    expected = focal_loss(emotion, items.emotions, WEIGHTS, 2.0)
    expected = expected + 0.3 * ConcordanceLoss()(attributes[rated], items.attributes[rated])
    assert loss == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("two_pass", [False, True])
def test_auxiliary_losses_are_those_of_the_whole_batch(two_pass: bool):
    """Beside the tasks' loss: cross-entropies in float64, each over the items in which it is known."""
    items, weights = batch(20), {"gender": 0.5, "secondary": 2.0}
    with torch.no_grad():
        logits = Toy(8 + 18)(items.inputs, items.lengths).double()
    p, shares = torch.sigmoid(logits[:, 8:]), items.auxiliary.double()
    entropies = -(shares * p.log() + (1 - shares) * (1 - p).log())
    expected = focal_loss(logits[:, :8], items.emotions.double(), WEIGHTS.double(), 2.0)
    expected = expected + 0.5 * entropies[:, 0].nanmean() + 2.0 * entropies[:, 1:].nanmean()
    loss, slope = step(("emotion",), items, 4, two_pass, auxiliary=weights)
    assert loss == pytest.approx(expected.item(), abs=1e-5)
    whole = step(("emotion",), items, 1, two_pass, auxiliary=weights)
    torch.testing.assert_close(slope, whole[1], atol=1e-6, rtol=1e-5)
    alone = step(("emotion",), items, 4, two_pass, auxiliary={"gender": 0.5})[1]
    assert not alone[-17:].any()  # the biases of what raters ticked
    assert slope[-18:].all()


def test_attributes_stand_before_auxiliary_outputs():
    logits = torch.arange(29.0)[None]
    emotion, attributes = split_outputs(logits, BOTH)
    assert (emotion.tolist(), attributes.tolist()) == ([[*map(float, range(8))]], [[8.0, 9.0, 10.0]])
    assert split_outputs(logits, ("attributes",))[1].tolist() == [[0.0, 1.0, 2.0]]


def test_without_two_passes_the_concordance_is_the_micro_batches_mean():
    """On the scale of one batch's: more micro-batches must not mean a larger weight of the attributes."""
    items = batch(24, rated=1.0)
    loss, slope = step(("attributes",), items, 4, two_pass=False)
    model = Toy(3)
    predictions = model(items.inputs, items.lengths)
    pairs = zip(predictions.split(6), items.attributes.split(6), strict=True)
    expected = sum(ConcordanceLoss()(p, t) for p, t in pairs) / 4
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-6)
    torch.testing.assert_close(slope, gradient(model), atol=1e-6, rtol=1e-5)


def test_two_passes_see_the_same_dropout():
    """The gradient of the second pass belongs to the predictions of the first: checked by differences."""
    items = batch(12, labelled=1.0, rated=1.0)
    settings = TrainingSettings(accumulation=3)
    model = Toy(11, dropout=0.5)
    objective = Objective(settings, BOTH, WEIGHTS)

    def loss() -> float:
        model.zero_grad()
        torch.manual_seed(5)
        return backward(model, items, objective, settings, two_pass=True)

    loss()
    weight = model.layers[0].weight
    slope = weight.grad.clone()
    for place in [(0, 0), (5, 1), (11, 0)]:
        weight.data[place] += 1e-2
        above = loss()
        weight.data[place] -= 2e-2
        below = loss()
        weight.data[place] += 1e-2
        assert slope[place].item() == pytest.approx((above - below) / 2e-2, abs=2e-3)


@pytest.mark.parametrize("two_pass", [False, True])
def test_runs_with_dropout_are_equal(two_pass: bool):
    first, second = (step(BOTH, batch(20), 4, two_pass, dropout=0.5) for _ in range(2))
    assert first[0] == second[0]
    assert torch.equal(first[1], second[1])


def test_two_passes_draw_as_many_random_numbers_as_one():
    """What comes after the step does not depend on the rewinding inside it."""
    after = []
    for two_pass in (False, True):
        step(BOTH, batch(20), 4, two_pass, dropout=0.5)
        after.append(torch.rand(3))
    assert torch.equal(*after)


@pytest.mark.parametrize("tasks", [("emotion",), ("attributes",), BOTH])
@pytest.mark.parametrize("accumulation", [1, 3])
def test_a_batch_without_targets_moves_nothing(tasks, accumulation: int):
    """The last batch of an epoch may hold one item, and one item has no concordance."""
    loss, slope = step(tasks, batch(6, labelled=-1, rated=-1), accumulation)
    assert loss == 0
    assert not slope.any()
    loss, slope = step(("attributes",), batch(1, rated=2.0), accumulation)
    assert (loss, slope.any().item()) == (0, False)


@pytest.mark.parametrize(("tasks", "two_pass"), [(("emotion",), False), (BOTH, True), (BOTH, False)])
def test_a_loss_that_is_no_number(tasks, two_pass: bool):
    items = batch(8)
    items.inputs[0, 0] = torch.nan
    settings = TrainingSettings(accumulation=2)
    model, objective = Toy(output_count(tasks)), Objective(settings, tasks, WEIGHTS)
    with pytest.raises(TrainingError, match="found a loss of nan"):
        backward(model, items, objective, settings, two_pass)
    if two_pass:
        assert all(p.grad is None for p in model.parameters())  # nothing of it was kept


def test_bfloat16_is_near_float32():
    exact, rough = step(BOTH, batch(20), 2), step(BOTH, batch(20), 2, precision="bfloat16")
    assert rough[0] != exact[0]
    assert rough[0] == pytest.approx(exact[0], rel=0.02)
    assert torch.nn.functional.cosine_similarity(rough[1], exact[1], dim=0) > 0.99
