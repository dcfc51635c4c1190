"""The training loop: weights, schedule, what is kept, when it ends."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from sklearn.metrics import f1_score  # noqa: E402
from sklearn.utils.class_weight import compute_class_weight  # noqa: E402

from emojudge.emotions import EMOTIONS  # noqa: E402
from emojudge.errors import TrainingError  # noqa: E402
from emojudge.recipe import LearningRates, TrainingSettings  # noqa: E402
from emojudge.training.checkpoint import load_checkpoint  # noqa: E402
from emojudge.training.imbalance import class_weights  # noqa: E402
from emojudge.training.steps import learning_rate_factor  # noqa: E402
from emojudge.training.trainer import Trainer  # noqa: E402


class Points:
    """Items whose single value tells their emotion, more or less."""

    def __init__(self, items: int, seed: int, spread: float = 0.4, classes: int = 4) -> None:
        generator = np.random.default_rng(seed)
        self.labels = np.arange(items) % classes
        self.values = (self.labels + generator.normal(0, spread, items)).astype(np.float32)
        self.sizes = generator.integers(1, 6, items)
        self.emotions = np.eye(8, dtype=np.float32)[self.labels]
        self.attributes = np.stack([self.values, -self.values, generator.normal(size=items)], axis=1) / 8
        self.attributes = self.attributes.astype(np.float32)
        self.choices = np.ones((items, 8), dtype=bool)
        self.auxiliary = np.full((items, 18), np.nan, dtype=np.float32)
        self.seen: list[int] = []

    def inputs(self, indices: np.ndarray, seed: int | None) -> list[np.ndarray]:
        if seed is not None:
            self.seen += indices.tolist()
        return [np.full(self.sizes[i], self.values[i]) for i in indices]


class Toy(torch.nn.Module):
    def __init__(self, outputs: int = 8) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.head = torch.nn.Linear(1, 16), torch.nn.Linear(16, outputs)

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.first(inputs.sum(dim=1, keepdim=True) / lengths[:, None])))

    def penalty(self) -> torch.Tensor:
        return self.first.weight.square().sum()

    def parameter_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        return {"encoder": list(self.first.parameters()), "head": list(self.head.parameters()), "pooling": []}


RATES = LearningRates(encoder=0.02, head=0.05)


def trainer(
    folder: Path, *, outputs: int = 8, tasks=("emotion",), train=None, validation=None, **options
) -> Trainer:
    chosen = TrainingSettings(**{"epochs": 6, "batch_size": 8, "learning_rates": RATES, **options})
    train = train or Points(40, 0)
    return Trainer(
        Toy(outputs), chosen, tasks, train, np.ones(len(train.sizes)), validation or Points(24, 1), folder
    )


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# --------------------------------------------------------------------------------------------------- weights


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=80))
def test_class_weights_are_scikit_learns(labels: list[int]):
    present = np.unique(labels)
    ours = class_weights(np.eye(8, dtype=np.float32)[labels], np.ones(len(labels)), 1.0)
    np.testing.assert_allclose(
        ours[present], compute_class_weight("balanced", classes=present, y=labels), rtol=1e-5
    )
    assert not ours[np.setdiff1d(np.arange(8), present)].any()


def test_class_weights_count_as_an_epoch_does():
    labels = np.array([0, 0, 0, 1])
    once = class_weights(np.eye(8, dtype=np.float32)[labels], np.array([1.0, 1, 1, 3]), 1.0)
    np.testing.assert_allclose(once[:2], [1, 1])
    soft = np.zeros((2, 8), dtype=np.float32)
    soft[:, :2] = [[0.75, 0.25], [0.75, 0.25]]
    np.testing.assert_allclose(class_weights(soft, np.ones(2), 1.0)[:2], [2 / 3, 2])
    np.testing.assert_allclose(class_weights(soft, np.ones(2), 0.5)[:2], np.sqrt([2 / 3, 2]))
    np.testing.assert_allclose(class_weights(soft, np.ones(2), 0.0)[:3], [1, 1, 0])
    assert not class_weights(np.zeros((3, 8), dtype=np.float32), np.ones(3), 1.0).any()


# -------------------------------------------------------------------------------------------------- schedule


@pytest.mark.parametrize("decay", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_learning_rate_rises_in_a_line_then_decays(decay: str, warmup: float):
    chosen = TrainingSettings(decay=decay, warmup=warmup)
    factors = np.array([learning_rate_factor(step, 200, chosen) for step in range(200)])
    top = int(warmup * 200)
    assert (factors > 0).all()
    assert factors.max() == factors[top] == 1.0
    if top:
        np.testing.assert_allclose(np.diff(factors[: top + 1]), 1 / (top + 1))
    after = factors[top:]
    expected = {
        "constant": np.ones(len(after)),
        "linear": 1 - np.arange(len(after)) / len(after),
        "cosine": [(1 + math.cos(math.pi * k / len(after))) / 2 for k in range(len(after))],
    }[decay]
    np.testing.assert_allclose(after, expected, atol=1e-9)


def test_each_part_is_stepped_by_its_own_rate(tmp_path: Path):
    """AdamW's first step is as long as the learning rate, whatever the gradient."""
    rates = LearningRates(encoder=1e-4, head=1e-2)
    made = trainer(tmp_path, epochs=1, batch_size=40, weight_decay=0.0, learning_rates=rates)
    before = {name: p.detach().clone() for name, p in made.model.named_parameters()}
    made.run()
    moved = {
        name: float((p.detach() - before[name]).abs().max()) for name, p in made.model.named_parameters()
    }
    assert moved["first.weight"] == pytest.approx(1e-4, rel=0.02)
    assert moved["head.weight"] == pytest.approx(1e-2, rel=0.02)


# ---------------------------------------------------------------------------------------------- what is kept


@pytest.mark.parametrize("average", [None, 0.9])
def test_best_checkpoint_has_the_best_macro_f1_of_the_whole_split(tmp_path: Path, average: float | None):
    """Recomputed from the kept parameters; the batches' mean, or the last batch alone, would differ."""
    validation = Points(50, 1, spread=1.0)
    made = trainer(tmp_path, validation=validation, epochs=8, weight_average=average, batch_size=16)
    returned = made.run()
    figures = [float(row["macro_f1"]) for row in rows(tmp_path)]
    assert len(set(figures)) > 1
    tensors, said = load_checkpoint(tmp_path / "best.safetensors")
    model = Toy()
    model.load_state_dict(tensors)
    predicted = [
        int(model(torch.from_numpy(array)[None], torch.tensor([len(array)])).argmax())
        for array in validation.inputs(np.arange(50), None)
    ]
    expected = f1_score(validation.labels, predicted, labels=[0, 1, 2, 3], average="macro", zero_division=0)
    assert said["macro_f1"] == pytest.approx(expected) == pytest.approx(max(figures))
    assert said["epoch"] == figures.index(max(figures)) + 1  # the first of equals
    assert returned == said
    for name, weight in made.model.state_dict().items():  # the best, not the last, is given out
        assert torch.equal(weight, tensors[name])


def test_of_equals_the_first_epoch_is_kept(tmp_path: Path):
    figures = trainer(tmp_path, epochs=3, learning_rates=LearningRates(encoder=0, head=0)).run()
    assert len({row["macro_f1"] for row in rows(tmp_path)}) == 1
    assert figures["epoch"] == 1


def test_each_step_has_the_schedules_rate(tmp_path: Path):
    made = trainer(tmp_path, epochs=2, warmup=0.3, decay="linear")
    used: list[list[float]] = []
    real = made._optimiser.step

    def step(*arguments):
        used.append([group["lr"] for group in made._optimiser.param_groups])
        return real(*arguments)

    made._optimiser.step = step
    made.run()
    chosen = TrainingSettings(warmup=0.3, decay="linear")
    factors = np.array([learning_rate_factor(number, 10, chosen) for number in range(10)])
    np.testing.assert_allclose(used, factors[:, None] * [RATES.encoder, RATES.head])


def test_select_by_ccc_and_both_tasks(tmp_path: Path):
    made = trainer(tmp_path, outputs=11, tasks=("emotion", "attributes"), select="ccc", epochs=10)
    figures = made.run()
    assert figures["ccc"] == max(float(row["ccc"]) for row in rows(tmp_path))
    assert figures["ccc"] == pytest.approx(
        np.mean([figures[f"ccc_{name}"] for name in ("valence", "arousal", "dominance")])
    )
    assert figures["ccc_valence"] > 0.8
    assert figures["macro_f1"] > 0.5


def test_select_last(tmp_path: Path):
    figures = trainer(tmp_path, select="last", epochs=3, validation=Points(50, 1, spread=3.0)).run()
    assert figures["epoch"] == 3


def test_patience_ends_a_training_that_no_longer_improves(tmp_path: Path):
    """Labels of pure chance: the best epoch is one of the first, and `patience` epochs follow it."""
    figures = trainer(tmp_path, epochs=60, patience=3, validation=Points(40, 1, spread=30.0)).run()
    done = rows(tmp_path)
    assert len(done) < 60
    assert len(done) == figures["epoch"] + 3
    best = max(float(row["macro_f1"]) for row in done)
    assert float(done[int(figures["epoch"]) - 1]["macro_f1"]) == best


def test_every_epoch_reads_every_item(tmp_path: Path):
    data = Points(41, 0)
    trainer(tmp_path, train=data, epochs=3).run()
    assert np.bincount(data.seen).tolist() == [3] * 41


def test_an_average_is_smoother_than_the_weights(tmp_path: Path):
    """The average of the steps: what a hand-made one gives."""
    made = trainer(tmp_path, weight_average=0.8, epochs=2, weight_decay=0.0, select="last")
    steps: list[torch.Tensor] = []
    real = made._optimiser.step

    def step(*arguments):
        result = real(*arguments)
        steps.append(made.model.head.bias.detach().clone())
        return result

    made._optimiser.step = step
    made.run()
    expected = steps[0]
    for weights in steps[1:]:
        expected = 0.8 * expected + 0.2 * weights
    torch.testing.assert_close(load_checkpoint(tmp_path / "best.safetensors")[0]["head.bias"], expected)


def test_the_attention_penalty_pulls(tmp_path: Path):
    norms = []
    for penalty in (0.0, 5.0):
        folder = tmp_path / str(penalty)
        data = Points(40, 0)
        chosen = TrainingSettings(epochs=25, batch_size=8, learning_rates=RATES, select="last")
        made = Trainer(Toy(), chosen, ("emotion",), data, np.ones(40), Points(24, 1), folder, penalty)
        made.run()
        norms.append(float(made.model.penalty().detach()))
    assert norms[1] < 0.5 * norms[0]


def test_gradients_are_clipped(tmp_path: Path):
    moved = []
    for limit in (None, 1e-12):
        made = trainer(tmp_path / str(limit), epochs=1, max_gradient_norm=limit, weight_decay=0.0)
        before = made.model.head.weight.detach().clone()
        made.run()
        moved.append(float((made.model.head.weight.detach() - before).abs().max()))
    assert moved[1] < 0.05 * moved[0]  # under AdamW's own epsilon


def test_predictions_come_in_the_items_order(tmp_path: Path):
    made, data = trainer(tmp_path), Points(31, 5)
    for size in (1, 4, 100):
        outputs = made.predict(data, size)
        alone = [made.model(torch.full((1, 1), float(value)), torch.tensor([1])) for value in data.values]
        np.testing.assert_allclose(outputs, torch.cat(alone).detach().numpy(), atol=1e-5)


def test_progress_is_told(tmp_path: Path):
    told: list[tuple[int, int, str]] = []
    trainer(tmp_path, epochs=2).run(lambda *words: told.append(words))
    assert [done for done, _, _ in told] == list(range(1, 11))
    assert {steps for _, steps, _ in told} == {10}
    assert "epoch 2" in told[-1][2]


# ------------------------------------------------------------------------------------------- what is refused


def test_a_figure_that_cannot_be_had_is_refused_at_once(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"found ccc; expected .*macro_f1, uar"):
        trainer(tmp_path, select="ccc")
    unlabelled = Points(10, 0)
    unlabelled.emotions[:] = 0
    with pytest.raises(TrainingError, match="found macro_f1"):
        trainer(tmp_path, validation=unlabelled)


def test_an_epoch_without_items_is_refused(tmp_path: Path):
    chosen = TrainingSettings(epochs=1)
    with pytest.raises(TrainingError, match="no item in an epoch"):
        Trainer(Toy(), chosen, ("emotion",), Points(9, 0), np.full(9, 0.01), Points(9, 1), tmp_path)


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(tmp_path: Path):
    data = Points(40, 0)
    made = trainer(tmp_path, train=data, checkpoint_every=1)

    def spoil(done: int, *_: object) -> None:
        if done == 7:
            data.values[:] = np.nan

    with pytest.raises(TrainingError, match="a loss of nan"):
        made.run(spoil)
    tensors, state = load_checkpoint(tmp_path / "checkpoint.safetensors")
    assert state["step"] == 7
    assert all(tensor.isfinite().all() for name, tensor in tensors.items() if name.startswith("model/"))


def test_weights_that_are_no_numbers_are_not_validated(tmp_path: Path):
    """The arg max of NaN is a class: without a look, the macro-F1 would be that of a constant."""
    made = trainer(tmp_path, epochs=1)
    steps = len(made._batches(0))

    def spoil(done: int, *_: object) -> None:
        if done == steps:
            made.model.head.bias.data.fill_(torch.nan)

    with pytest.raises(TrainingError, match="outputs that are no numbers after epoch 1"):
        made.run(spoil)


# --------------------------------------------------------------------------------------------------- float16


def test_float16_goes_where_float32_goes(tmp_path: Path):
    """Scaling, clipping, penalty and step together: the weights after some steps are nearly the same."""
    ends = []
    for precision in ("float32", "float16"):
        data = Points(40, 0)
        rates = LearningRates(encoder=0.002, head=0.002)
        chosen = TrainingSettings(
            epochs=2, batch_size=8, learning_rates=rates, select="last", precision=precision
        )
        folder = tmp_path / precision
        made = Trainer(Toy(), chosen, ("emotion",), data, np.ones(40), Points(24, 1), folder, 0.1)
        made.run()
        ends.append(torch.cat([p.detach().flatten() for p in made.model.parameters()]))
    start = torch.cat([p.detach().flatten() for p in Toy().parameters()])
    moved = ends[0] - start
    assert (ends[1] - ends[0]).norm() < 0.1 * moved.norm()
    assert rows(tmp_path / "float16")[-1]["skipped"] == "0"
    assert "skipped" not in rows(tmp_path / "float32")[-1]


def test_gradients_are_unscaled_before_they_are_clipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    norms: dict[str, list[float]] = {"float32": [], "float16": []}
    real = torch.nn.utils.clip_grad_norm_
    for precision, kept in norms.items():

        def watched(parameters, limit, kept=kept):
            kept.append(float(real(parameters, limit)))

        monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watched)
        trainer(tmp_path / precision, epochs=1, precision=precision).run()
    np.testing.assert_allclose(norms["float16"], norms["float32"], rtol=0.05)


def test_an_overflow_skips_its_step_and_is_counted(tmp_path: Path):
    made = trainer(tmp_path, epochs=1, precision="float16", weight_average=0.5, select="last")
    steps = len(made._batches(0))
    made._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**60)  # the first ones overflow for certain
    before = made.model.head.weight.detach().clone()
    moved: list[bool] = []

    def watch(*_: object) -> None:
        moved.append(not torch.equal(made.model.head.weight, before))

    made.run(watch)
    skipped = int(float(rows(tmp_path)[-1]["skipped"]))
    assert skipped == steps == 5
    assert moved == [False] * 5
    assert int(made._average.n_averaged) == 0  # what was not stepped is not averaged


def test_a_float16_training_goes_on_with_its_scale(tmp_path: Path):
    class Stop(Exception):
        pass

    def stop(done: int, *_: object) -> None:
        if done == 7:
            raise Stop

    def begin(folder: Path) -> Trainer:
        made = trainer(folder, epochs=3, precision="float16", checkpoint_every=1)
        made._scaler = torch.amp.GradScaler("cpu", init_scale=2.0**52, growth_interval=3)
        return made

    straight = begin(tmp_path / "straight")
    straight.run()
    with pytest.raises(Stop):
        begin(tmp_path / "broken").run(stop)
    again = trainer(tmp_path / "broken", epochs=3, precision="float16", checkpoint_every=1)
    again._scaler = torch.amp.GradScaler("cpu", growth_interval=3)
    again.run()
    for one, other in zip(rows(tmp_path / "straight"), rows(tmp_path / "broken"), strict=True):
        assert {**one, "seconds": ""} == {**other, "seconds": ""}
    assert again._scaler.state_dict() == straight._scaler.state_dict()
    assert float(rows(tmp_path / "broken")[-1]["skipped"]) > 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_loss_of_nan_stops_in_every_precision(tmp_path: Path, precision: str):
    data = Points(40, 0)
    data.values[:] = np.nan
    with pytest.raises(TrainingError, match="a loss of nan"):
        trainer(tmp_path, train=data, precision=precision).run()


def test_gradients_that_overflow_at_every_scale_stop(tmp_path: Path):
    """The loss is a number, its gradient never: without a look, a training of nothing but skipped steps."""
    made = trainer(tmp_path, epochs=20, precision="float16")
    made.model.head.weight.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(TrainingError, match="at whatever scale"):
        made.run()
    assert made._position.skipped < 40


def test_a_known_prior_is_in_what_is_validated_and_kept(tmp_path: Path):
    """The kept parameters alone give what the validation saw: the prior went into the last bias."""
    Toy.output_layer = property(lambda self: self.head)  # as the models have it
    made = trainer(tmp_path, epochs=1, known_prior="uniform", class_weights=0.0, weight_average=0.9)
    data = Points(24, 1)
    shift = made._shift
    made.run()
    seen = made.predict(data)  # the averaged weights' own outputs
    model = Toy()
    model.load_state_dict(load_checkpoint(tmp_path / "best.safetensors")[0])
    outputs = np.concatenate(
        [model(torch.full((1, 1), float(v)), torch.tensor([1])).detach().numpy() for v in data.values]
    )
    np.testing.assert_allclose(outputs, seen + shift, atol=1e-5)
    assert np.abs(shift).max() > 0.1


# ---------------------------------------------------------------------------------------------------- levers


class Votes(Points):
    """Rare emotions, two raters who disagree, and speakers of whom some are women."""

    def __init__(self) -> None:
        super().__init__(40, 0)
        self.labels = np.array([0] * 24 + [1] * 8 + [2] * 6 + [3] * 2)
        self.emotions = 0.7 * np.eye(8, dtype=np.float32)[self.labels]
        self.emotions[:, 1] += 0.3
        self.auxiliary[::2] = 0.5


class Levered(Toy):
    """A toy that mixes and has auxiliary outputs while it is trained, as the models have."""

    def __init__(self, auxiliary: bool) -> None:
        super().__init__(8)
        self.auxiliary = torch.nn.Linear(16, 18) if auxiliary else None
        self.output_layer = self.head

    def forward(self, inputs, lengths, mix=None):
        features = torch.tanh(self.first(inputs.sum(dim=1, keepdim=True) / lengths[:, None]))
        features = features if mix is None else mix(features)
        outputs = [self.head(features)]
        if self.training and self.auxiliary is not None:
            outputs.append(self.auxiliary(features))
        return torch.cat(outputs, dim=1)


def levered(folder: Path, train: Points | None = None, **options) -> dict[str, torch.Tensor]:
    """The kept parameters of a short training."""
    chosen = TrainingSettings(**{"epochs": 2, "batch_size": 8, "learning_rates": RATES, **options})
    model = Levered("auxiliary" in options)
    data = train or Votes()
    Trainer(model, chosen, ("emotion",), data, np.ones(len(data.sizes)), Points(24, 1), folder).run()
    return load_checkpoint(folder / "best.safetensors")[0]


@pytest.mark.parametrize(
    "lever",
    [
        {"class_weights": 0.5},
        {"vector_scaling": {}},
        {"vector_scaling": {"gamma": 0.0}},
        {"known_prior": "uniform"},
        {"known_prior": dict(zip(EMOTIONS, range(1, 9), strict=True))},
        {"balanced": True},
        {"annotation_dropout": 0.5},
        {"mixup": {"p": 1.0}},
        {"auxiliary": {"gender": 1.0}},
        {"auxiliary": {"secondary": 1.0}},
        {"precision": "float16"},
        {"weight_average": 0.9},
    ],
    ids=str,
)  # fmt: skip
def test_each_lever_alone_changes_what_is_learnt(tmp_path: Path, lever: dict):
    """Against the same training without it, which is the same every time."""
    plain, again = (levered(tmp_path / str(n), select="last", class_weights=0.0) for n in range(2))
    assert all(torch.equal(weight, again[name]) for name, weight in plain.items())
    pulled = levered(tmp_path / "lever", **{"select": "last", "class_weights": 0.0, **lever})
    moved = max(float((pulled[name] - weight).abs().max()) for name, weight in plain.items())
    assert moved > 1e-5
    assert np.isfinite(moved)


@pytest.mark.parametrize(("name", "columns"), [("gender", [0]), ("secondary", range(1, 18))])
def test_an_auxiliary_head_without_anything_to_learn_is_refused(
    tmp_path: Path, name: str, columns: list[int]
):
    data = Votes()
    data.auxiliary[:, columns] = np.nan
    with pytest.raises(TrainingError, match=rf"training\.auxiliary\.{name}: found no item"):
        levered(tmp_path, data, auxiliary={"gender": 1.0, "secondary": 1.0})
