"""What a training would take, measured by a few of its steps on its own data; nothing is kept."""

import resource
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from emojudge.recipe import Recipe
from emojudge.training.batching import epoch_batches
from emojudge.training.data import Data
from emojudge.training.model import model_and_data
from emojudge.training.ranks import Ranks
from emojudge.training.run import make_trainer
from emojudge.training.split import Split, load_split
from emojudge.training.trainer import Trainer

STEPS = 3  # that are measured, after one that is not: the first one pays for what the others have
MEGABYTE = 1e6
FLOAT32 = 4  # bytes


@dataclass(frozen=True)
class Rehearsal:
    """A training in figures. Sizes in MB, times in seconds, on this machine as busy as it was."""

    train_items: int
    validation_items: int
    items_per_epoch: int
    steps_per_epoch: int
    steps: int  # in all, if patience does not end it before
    parameters: int
    trained_parameters: int
    # Parameters, gradients, the optimiser's moments, the average: there in each process, whatever the batch.
    state_mb: float
    peak_mb: float  # while the steps ran: of this process, or of the graphics card where one is used
    seconds_per_step: float
    encoding_seconds: float  # once, before training, where frames or audio are cached
    validation_seconds: float  # per epoch
    total_seconds: float


def rehearse(recipe: Recipe, data: Path, weights: Path | None = None, steps: int = STEPS) -> Rehearsal:
    """Run a few steps of a recipe's training on a sample of its items, and reckon with what they took.

    The sample is as many items as the steps need, at random, so that short and long ones are in it as often
    as in an epoch. Statistics of the corpus and frames of a frozen backbone are made of the sample alone.

    Raises:
        RecipeError, CorpusError, TrainingError: as `training.run.train`.
    """
    settings = recipe.training
    torch.manual_seed(settings.seed)
    parts = {name: load_split(recipe, data, name) for name in ("train", "validation")}
    items = {name: len(part.utterances) for name, part in parts.items()}
    sizes = np.zeros(items["train"], dtype=np.int64)
    epoch = epoch_batches(sizes, parts["train"].repeats, settings.batch_size, settings.seed, 0)
    sample = {name: _sample(part, (1 + steps) * settings.batch_size) for name, part in parts.items()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model, make = model_and_data(recipe, weights, folder / "frames", decoded=folder / "audio")
        started = time.perf_counter()
        train, validation = make(sample["train"], True), make(sample["validation"], False)
        making = time.perf_counter() - started
        repeats = np.ones(len(train.sizes))
        trainer = make_trainer(recipe, model, train, repeats, validation, folder)
        seconds = _time_steps(trainer, train, settings.batch_size, steps)
        started = time.perf_counter()
        trainer.predict(validation)
        validating = (time.perf_counter() - started) * items["validation"] / len(validation.sizes)
        peak = _peak_mb(trainer.device)
    cached = recipe.acoustic is not None and (recipe.acoustic.cache_frames or recipe.acoustic.cache_audio)
    encoding = making * _encodings(parts) / _encodings(sample) if cached else 0.0
    count = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    slices = Ranks().size if settings.parallel == "fsdp" else 1
    copies = 1 if settings.weight_average is None else 2
    return Rehearsal(
        train_items=items["train"],
        validation_items=items["validation"],
        items_per_epoch=sum(map(len, epoch)),
        steps_per_epoch=len(epoch),
        steps=settings.epochs * len(epoch),
        parameters=count,
        trained_parameters=trained,
        state_mb=FLOAT32 * (copies * count + 3 * trained) / slices / MEGABYTE,
        peak_mb=peak,
        seconds_per_step=seconds,
        encoding_seconds=encoding,
        validation_seconds=validating,
        total_seconds=encoding + settings.epochs * (len(epoch) * seconds + validating),
    )


def _sample(split: Split, count: int) -> Split:
    """So many of a split's items at random, by their share in an epoch; all where there are fewer."""
    total = len(split.utterances)
    shares = split.repeats / split.repeats.sum()
    size = min(count, total)
    rows = np.sort(np.random.default_rng(0).choice(total, size, replace=False, p=shares))
    return replace(
        split,
        utterances=[split.utterances[row] for row in rows],
        repeats=split.repeats[rows],
        choices=split.choices[rows],
        views=split.views[rows],
        sources=split.sources[rows],
    )


def _encodings(parts: dict[str, Split]) -> int:
    """How often a clip is encoded ahead of training: in all its views, or once to validate."""
    return int(parts["train"].views.sum()) + len(parts["validation"].views)


def _time_steps(trainer: Trainer, train: Data, batch_size: int, steps: int) -> float:
    """Mean seconds of a step, over batches from short to long items."""
    trainer.model.train()
    batches = epoch_batches(train.sizes, np.ones(len(train.sizes)), batch_size, 0, 0)
    taken = []
    for number in range(1 + steps):
        started = time.perf_counter()
        trainer.step(batches[number % len(batches)], number)  # the loss is a number: it waits for the device
        taken.append(time.perf_counter() - started)
    return float(np.mean(taken[1:]))


def _peak_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / MEGABYTE
    unit = 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE
