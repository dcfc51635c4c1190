"""One optimiser step over a batch that is cut in micro-batches, equal to the step over the whole batch."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from emojudge.emotions import EMOTIONS
from emojudge.errors import TrainingError
from emojudge.models.losses import MIN_WEIGHT, ConcordanceLoss, focal_terms
from emojudge.recipe import Task, TrainingSettings
from emojudge.training.data import Batch
from emojudge.training.mixup import Mixing, draw_mixing

TARGETS = ("emotions", "attributes", "choices")
OUTPUTS = {"emotion": len(EMOTIONS), "attributes": 3}
Scale = Callable[[Tensor], Tensor]


def unscaled(loss: Tensor) -> Tensor:
    """The loss as it is: float32 and bfloat16 have room for its gradients."""
    return loss


def output_count(tasks: tuple[Task, ...]) -> int:
    """Size of the model's output: 8 for emotion, then 3 for attributes, as the tasks have them."""
    return sum(OUTPUTS[task] for task in tasks)


def split_outputs(logits: Tensor, tasks: tuple[Task, ...]) -> tuple[Tensor | None, Tensor | None]:
    """`(batch, outputs)` into emotion logits `(batch, 8)` and attributes on -1..1 `(batch, 3)`."""
    emotion = logits[:, : len(EMOTIONS)] if "emotion" in tasks else None
    attributes = logits[:, -3:] if "attributes" in tasks else None
    return emotion, attributes


class Objective:
    """Focal loss where the emotion is known plus concordance loss where the attributes are.

    The focal loss is a mean over the batch's weights, the concordance a statistic of the batch: neither is a
    mean of its micro-batches' values. So the focal terms are divided by the whole batch's weight, and the
    concordance is differentiated with respect to all predictions at once (`gradient`), which the second
    forward pass then carries into the parameters: the exact gradient of the whole batch.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        tasks: tuple[Task, ...],
        weights: Tensor,
        scaling: tuple[Tensor, Tensor] | None = None,  # see `imbalance.vector_scaling`
    ) -> None:
        self._settings = settings
        self._tasks = tasks
        self._weights = weights
        self._scaling = scaling
        self._concordance = ConcordanceLoss()

    def __call__(
        self, logits: Tensor, batch: Batch, focal_weight: Tensor | None = None, rated: Tensor | None = None
    ) -> Tensor:
        """The loss of `(batch, outputs)` logits, a scalar with a gradient, 0 where no target is known.

        Args:
            focal_weight, rated: of the whole batch that `batch` is a part of; None: it is the whole.
        """
        logits = logits.float()
        emotion, attributes = split_outputs(logits, self._tasks)
        loss = logits[:0].sum()
        if emotion is not None:
            if self._scaling is not None:
                emotion = emotion * self._scaling[0] + self._scaling[1]
            terms, scale = focal_terms(
                emotion, batch.emotions, self._weights, self._settings.focal_gamma, batch.choices
            )
            whole = scale.sum() if focal_weight is None else focal_weight
            loss = loss + terms.sum() / whole.clamp(min=MIN_WEIGHT)
        if attributes is not None:
            known = _rated(batch)
            if known.sum() > 1:
                concordance = self._concordance(attributes[known], batch.attributes[known])
                share = 1.0 if rated is None else known.sum() / rated
                loss = loss + self._settings.attributes_weight * share * concordance
        return loss

    def focal_weight(self, batch: Batch) -> Tensor:
        """Sum of the items' class weights: what the focal loss of the batch is divided by."""
        return (batch.emotions * self._weights).sum()

    def gradient(self, logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The whole batch's loss, and its slope by each of the logits `(batch, outputs)`."""
        leaf = logits.detach().requires_grad_()
        loss = self(leaf, batch)
        (slope,) = torch.autograd.grad(loss, leaf)
        return loss.detach(), slope


def backward(model: nn.Module, batch: Batch, objective: Objective, settings: TrainingSettings,
             two_pass: bool, scale: Scale = unscaled) -> float:  # fmt: skip
    """Add the gradient of the batch's loss to the parameters; returns the loss.

    Args:
        two_pass: run the micro-batches once without a graph for all predictions, then again, with the same
            dropout, to carry the slope of the whole batch's loss into the parameters. Without it, the
            concordance is the mean of the micro-batches' own (as the official baseline has it).
        scale: what the loss is multiplied by on its way into the gradients, such as `GradScaler.scale`; the
            loss that is returned is without it.

    Raises:
        TrainingError: the loss is not a finite number.
    """
    parts = list(_micro_batches(batch, settings.accumulation))
    mixings = [draw_mixing(settings.mixup, len(part.lengths)) for part in parts]
    if any(mixings):
        parts = [part if mix is None else mix.targets(part) for part, mix in zip(parts, mixings, strict=True)]
        mixed = {name: torch.cat([getattr(p, name) for p in parts]) for name in TARGETS}
        batch = replace(batch, **mixed)
    device = batch.inputs.device.type
    if two_pass and len(parts) > 1:
        states, logits = [], []
        with torch.no_grad(), autocast(settings.precision, device):
            for part, mix in zip(parts, mixings, strict=True):
                states.append(random_state(device))
                logits.append(_forward(model, part, mix))
        loss, slope = objective.gradient(torch.cat(logits).float(), batch)
        total = _finite(float(loss))
        after = random_state(device)
        slopes = torch.split(slope, [len(part.lengths) for part in parts])
        for part, mix, state, part_slope in zip(parts, mixings, states, slopes, strict=True):
            set_random_state(state)
            with autocast(settings.precision, device):
                again = _forward(model, part, mix)
            torch.autograd.backward(again.float(), scale(part_slope))
        set_random_state(after)
        return total
    total, whole, rated = 0.0, objective.focal_weight(batch), _rated(batch).sum()
    for part, mix in zip(parts, mixings, strict=True):
        with autocast(settings.precision, device):
            logits_part = _forward(model, part, mix)
        loss = objective(logits_part, part, whole, rated)
        total += _finite(float(loss.detach()))
        torch.autograd.backward(scale(loss))
    return total


def _forward(model: nn.Module, part: Batch, mix: Mixing | None) -> Tensor:
    """Logits `(batch, outputs)`, of mixed features where there is a mixing."""
    logits: Tensor = model(part.inputs, part.lengths, *([] if mix is None else [mix]))
    return logits


def autocast(precision: str, device: str) -> contextlib.AbstractContextManager[object]:
    """bfloat16 or float16 where the recipe asks for it; nothing otherwise."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device, dtype=torch.bfloat16 if precision == "bfloat16" else torch.float16)


def random_state(device: str) -> dict[str, Tensor]:
    """Where dropout's random numbers stand: the CPU's generator, and the graphics card's if it is used."""
    state = {"random": torch.get_rng_state()}
    return {**state, "random.cuda": torch.cuda.get_rng_state()} if device == "cuda" else state


def set_random_state(state: Mapping[str, Tensor]) -> None:
    """Go back to where `random_state` was taken."""
    torch.set_rng_state(state["random"])
    if "random.cuda" in state:
        torch.cuda.set_rng_state(state["random.cuda"])


def _rated(batch: Batch) -> Tensor:
    """Which items have all attributes, `(batch,)`."""
    return ~batch.attributes.isnan().any(dim=1)


def _micro_batches(batch: Batch, count: int) -> Iterator[Batch]:
    size = -(-len(batch.lengths) // count)
    for start in range(0, len(batch.lengths), size):
        part = slice(start, start + size)
        longest = int(batch.lengths[part].max())
        yield Batch(
            batch.inputs[part, :longest],
            batch.lengths[part],
            batch.emotions[part],
            batch.attributes[part],
            batch.choices[part],
        )


def _finite(loss: float) -> float:
    if not math.isfinite(loss):
        raise TrainingError(
            "training",
            found=f"a loss of {loss}",
            expected="a finite number",
            advice="Lower the learning rates or train in float32; the last checkpoint is kept.",
        )
    return loss
