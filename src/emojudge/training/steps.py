"""One optimiser step over a batch that is cut in micro-batches, equal to the step over the whole batch."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from emojudge.emotions import ATTRIBUTES, EMOTIONS, SECONDARY
from emojudge.errors import TrainingError
from emojudge.models.losses import MIN_WEIGHT, ConcordanceLoss, auxiliary_terms, focal_terms
from emojudge.recipe import Task, TrainingSettings
from emojudge.training.data import Batch
from emojudge.training.mixup import Mixing, draw_mixing
from emojudge.training.ranks import Ranks

TARGETS = ("emotions", "attributes", "choices", "auxiliary")
OUTPUTS = {"emotion": len(EMOTIONS), "attributes": len(ATTRIBUTES)}
Scale = Callable[[Tensor], Tensor]
Pair = tuple[Batch, Mixing | None]


def unscaled(loss: Tensor) -> Tensor:
    """The loss as it is: float32 and bfloat16 have room for its gradients."""
    return loss


def output_count(tasks: tuple[Task, ...]) -> int:
    """Size of the model's output: 8 for emotion, then 3 for attributes, as the tasks have them."""
    return sum(OUTPUTS[task] for task in tasks)


def split_outputs(logits: Tensor, tasks: tuple[Task, ...]) -> tuple[Tensor | None, Tensor | None]:
    """`(batch, outputs)` into emotion logits `(batch, 8)` and attributes on -1..1 `(batch, 3)`.

    What auxiliary heads give comes after them.
    """
    emotion = logits[:, : len(EMOTIONS)] if "emotion" in tasks else None
    end = output_count(tasks)
    attributes = logits[:, end - len(ATTRIBUTES) : end] if "attributes" in tasks else None
    return emotion, attributes


@dataclass(frozen=True)
class Totals:
    """What the sums over a whole batch's items are divided by, wherever its items are."""

    weight: Tensor  # scalar: the sum of the emotions' class weights
    rated: Tensor  # scalar: the items with attributes
    auxiliary: Tensor  # (18,): the items of which each is known


class Objective:
    """Focal loss where the emotion is known, concordance loss where the attributes are, auxiliary losses.

    The focal loss is a mean over the batch's weights, the concordance a statistic of the batch: neither is a
    mean of its micro-batches' values. So the focal terms are divided by the whole batch's weight, and the
    concordance is differentiated with respect to all predictions at once (`gradient`), which the second
    forward pass then carries into the parameters: the exact gradient of the whole batch. The auxiliary losses
    are binary cross-entropies: of the speaker's gender, and the mean of those of what raters ticked beside
    the emotion.
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
        self._auxiliary: Tensor | None = None
        if settings.auxiliary is not None:
            ticked = settings.auxiliary.secondary / len(SECONDARY)
            self._auxiliary = weights.new_tensor([settings.auxiliary.gender] + [ticked] * len(SECONDARY))

    def __call__(self, logits: Tensor, batch: Batch, totals: Totals | None = None) -> Tensor:
        """The loss of `(batch, outputs)` logits, a scalar with a gradient, 0 where no target is known.

        Args:
            totals: of the whole batch that `batch` is a part of; None: it is the whole.
        """
        logits = logits.float()
        totals = totals or self.totals(batch)
        emotion, attributes = split_outputs(logits, self._tasks)
        loss = logits[:0].sum()
        if emotion is not None:
            if self._scaling is not None:
                emotion = emotion * self._scaling[0] + self._scaling[1]
            terms, _ = focal_terms(
                emotion, batch.emotions, self._weights, self._settings.focal_gamma, batch.choices
            )
            loss = loss + terms.sum() / totals.weight.clamp(min=MIN_WEIGHT)
        if attributes is not None:
            known = _rated(batch)
            if known.sum() > 1:
                concordance = self._concordance(attributes[known], batch.attributes[known])
                share = known.sum() / totals.rated
                loss = loss + self._settings.attributes_weight * share * concordance
        if self._auxiliary is not None:
            terms = auxiliary_terms(logits[:, -len(self._auxiliary) :], batch.auxiliary)
            loss = loss + (self._auxiliary * terms / totals.auxiliary.clamp(min=1.0)).sum()
        return loss

    def totals(self, batch: Batch) -> Totals:
        """Of the items of this batch."""
        return Totals(
            (batch.emotions * self._weights).sum(),
            _rated(batch).sum(),
            (~batch.auxiliary.isnan()).sum(dim=0),
        )

    def gradient(self, logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The whole batch's loss, and its slope by each of the logits `(batch, outputs)`."""
        leaf = logits.detach().requires_grad_()
        loss = self(leaf, batch)
        (slope,) = torch.autograd.grad(loss, leaf)
        return loss.detach(), slope


def backward(model: nn.Module, batch: Batch, objective: Objective, settings: TrainingSettings,
             two_pass: bool, scale: Scale = unscaled, ranks: Ranks | None = None) -> float:  # fmt: skip
    """Add the gradient of the batch's loss to the parameters; returns the loss.

    Args:
        batch: the whole, or this process's share of it.
        two_pass: run the micro-batches once without a graph for all predictions, then again, with the same
            dropout, to carry the slope of the whole batch's loss into the parameters. Without it, the
            concordance is the mean of the micro-batches' own (as the official baseline has it).
        scale: what the loss is multiplied by on its way into the gradients, such as `GradScaler.scale`; the
            loss that is returned is without it.
        ranks: the processes that the batch is shared by, whose gradients `model` averages.

    Raises:
        TrainingError: the loss is not a finite number.
    """
    ranks = ranks or Ranks()
    parts = list(_micro_batches(batch, settings.accumulation))
    mixings = [draw_mixing(settings.mixup, len(part.lengths)) for part in parts]
    if any(mixings):
        parts = [part if mix is None else mix.targets(part) for part, mix in zip(parts, mixings, strict=True)]
        mixed = {name: torch.cat([getattr(p, name) for p in parts]) for name in TARGETS}
        batch = replace(batch, **mixed)
    pairs = list(zip(parts, mixings, strict=True))
    if two_pass and len(parts) * ranks.size > 1:
        return _backward_twice(model, batch, pairs, objective, settings, scale, ranks)
    own = objective.totals(batch)
    totals = Totals(*(ranks.sum(value) for value in (own.weight, own.rated, own.auxiliary)))
    total = batch.emotions.new_zeros(())
    for part, mix, averaging in _last_averages(model, pairs, ranks):
        with averaging:
            with autocast(settings.precision, batch.inputs.device.type):
                logits = _forward(model, part, mix)
            loss = objective(logits, part, totals)
            total += loss.detach()
            torch.autograd.backward(scale(ranks.size * loss))  # the processes' mean is to be their sum
    return _finite(float(ranks.sum(total)))


def _backward_twice(model: nn.Module, batch: Batch, pairs: list[Pair], objective: Objective,
                    settings: TrainingSettings, scale: Scale, ranks: Ranks) -> float:  # fmt: skip
    device = batch.inputs.device.type
    states, logits = [], []
    with torch.no_grad(), autocast(settings.precision, device):
        for part, mix in pairs:
            states.append(random_state(device))
            logits.append(_forward(model, part, mix).float())
    after = random_state(device)
    whole = replace(batch, **{name: ranks.together(getattr(batch, name)) for name in TARGETS})
    loss, slope = objective.gradient(ranks.together(torch.cat(logits)), whole)
    total = _finite(float(loss))
    own = ranks.size * slope.chunk(ranks.size)[ranks.rank]
    slopes = iter(torch.split(own, [len(part.lengths) for part, _ in pairs]))
    for (part, mix, averaging), state in zip(_last_averages(model, pairs, ranks), states, strict=True):
        set_random_state(state)
        with averaging:
            with autocast(settings.precision, device):
                again = _forward(model, part, mix)
            torch.autograd.backward(again.float(), scale(next(slopes)))
    set_random_state(after)
    return total


def _last_averages(
    model: nn.Module, pairs: list[Pair], ranks: Ranks
) -> Iterator[tuple[Batch, Mixing | None, contextlib.AbstractContextManager[object]]]:
    """The micro-batches with what each is to run in: only the last one's gradients go over the wire."""
    for left, (part, mix) in zip(range(len(pairs))[::-1], pairs, strict=True):
        yield part, mix, ranks.apart(model) if left else contextlib.nullcontext()


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
            batch.auxiliary[part],
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


def learning_rate_factor(step: int, steps: int, settings: TrainingSettings) -> float:
    """Linear warm-up to 1, then constant, or linear or cosine decay that reaches 0 after the last step."""
    warmup = settings.warmup * steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1.0, steps - warmup)
    if settings.decay == "linear":
        return max(0.0, 1.0 - done)
    if settings.decay == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
    return 1.0
