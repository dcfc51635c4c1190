"""From a recipe to a trained model: corpora, splits, model, trainer, in one resumable run folder."""

import hashlib
import json
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emojudge.bundle.make import embedding_statistics
from emojudge.errors import RecipeError, TrainingError
from emojudge.files import write_whole
from emojudge.models.acoustic import AcousticModel
from emojudge.progress import Progress, untold
from emojudge.recipe import Recipe
from emojudge.training.checkpoint import load_checkpoint
from emojudge.training.data import Data
from emojudge.training.model import model_and_data
from emojudge.training.outputs import embeddings
from emojudge.training.ranks import Ranks
from emojudge.training.split import Split, load_split
from emojudge.training.trainer import Trainer

BEST = "best.safetensors"


@dataclass(frozen=True)
class Trained:
    """A trained model with what its export needs."""

    recipe: Recipe
    model: nn.Module
    metrics: dict[str, float]
    validation: Data
    train: Data


def train(
    recipe: Recipe,
    data: Path,
    folder: Path,
    weights: Path | None = None,
    progress: Progress = untold,
    cache: Path | None = None,
    start_from: Path | None = None,
) -> Trained:
    """Train the recipe's model, or go on where the run folder's last checkpoint stands.

    Args:
        recipe: what to train.
        data: the folder that holds the sources' folders.
        folder: the run's own; it keeps the recipe, the environment, metrics, checkpoints.
        weights: folder in which the encoder's weights lie by the name in the recipe; without it the name is
            a path or a name on the Hub.
        cache: where frames of a frozen backbone and decoded recordings are kept, which runs may share; None:
            in the run folder.
        start_from: a finished run, whose best parameters this one begins with: a second stage.

    Raises:
        RecipeError: the folder belongs to another recipe, or the run to start from is of another model.
        CorpusError: a corpus is missing or not as its release has it.
        TrainingError: nothing to train on, or the loss is no longer a number.
    """
    first = best_parameters(start_from)[0] if start_from else None
    torch.manual_seed(recipe.training.seed)
    with Ranks().first_alone():
        _claim(folder, recipe, start_from)
        parts: dict[str, Split] = {name: load_split(recipe, data, name) for name in ("train", "validation")}
        frames, decoded = cache or folder / "frames", cache or folder / "audio"
        model, make = model_and_data(recipe, weights, frames, progress, decoded)
        train_data, validation_data = make(parts["train"], True), make(parts["validation"], False)
    if first is not None and start_from:
        _take_over(model, first, start_from)
    elif isinstance(model, AcousticModel) and recipe.acoustic and recipe.acoustic.standardise:
        standardise(model, train_data, parts["train"].repeats)
    trainer = make_trainer(recipe, model, train_data, parts["train"].repeats, validation_data, folder)
    metrics = trainer.run(progress)
    return Trained(recipe, model, metrics, validation_data, train_data)


def best_parameters(run: Path) -> tuple[dict[str, Tensor], dict[str, float]]:
    """The parameters of a finished run with the best validation, and its figures.

    Raises:
        TrainingError: there are none.
    """
    path = run / BEST
    if not path.exists():
        raise TrainingError(
            run, found=f"no {BEST}", expected="a finished run", advice="Run `emojudge train` first."
        )
    return load_checkpoint(path)


def _take_over(model: nn.Module, tensors: dict[str, Tensor], run: Path) -> None:
    """Parameters, and the figures that inputs and features are normalised by, which belong to them.

    Auxiliary heads are of one stage: they begin anew, or are left where they are.
    """
    fresh = {name: value for name, value in model.state_dict().items() if name.startswith("auxiliary.")}
    kept = {name: value for name, value in tensors.items() if not name.startswith("auxiliary.")}
    try:
        model.load_state_dict(fresh | kept)
    except RuntimeError as error:
        reason = str(error).split("\n\t")[-1]
        raise RecipeError(
            run, found=f"a run of another model: {reason}", expected="one of the recipe's model"
        ) from error


def make_trainer(recipe: Recipe, model: nn.Module, train_data: Data, repeats: NDArray[np.float64],
                 validation: Data, folder: Path) -> Trainer:  # fmt: skip
    """The trainer of a recipe's model, in a run folder."""
    penalty = recipe.acoustic.attention_penalty if recipe.acoustic else 0.0
    return Trainer(model, recipe.training, recipe.tasks, train_data, repeats, validation, folder, penalty)


def standardise(model: AcousticModel, data: Data, repeats: NDArray[np.float64]) -> None:
    """Bring the head's input to mean 0 and deviation 1 over the training split's clips as they are."""
    mean, deviation = embedding_statistics(embeddings(model, data), repeats)
    model.head.standardise(torch.tensor(mean), torch.tensor(deviation))


def _claim(folder: Path, recipe: Recipe, start_from: Path | None) -> None:
    """Write the recipe and the environment into a new run folder; refuse another recipe's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.json"
    content = recipe.model_dump_json(indent=2)
    if path.exists():
        # Keys that came later stand at their defaults in an older file. How processes share the model may
        # change, as their number may.
        now, then = (r.model_dump(exclude={"training": {"parallel"}}) for r in (recipe, Recipe.read(path)))
        if now != then:
            raise RecipeError(
                folder,
                found=f"a run of another recipe ({hashlib.sha256(path.read_bytes()).hexdigest()[:8]})",
                expected=f"an empty folder, or a run of {recipe.name!r} as it is now",
                advice="Choose another --output folder.",
            )
        return
    packages = {name: version(name) for name in ("numpy", "torch", "transformers", "emojudge")}
    environment = {"python": platform.python_version(), "machine": platform.machine(), **packages}
    if start_from:  # the stage before, by what it came to
        environment["start_from"] = hashlib.sha256((start_from / BEST).read_bytes()).hexdigest()
    (folder / "environment.json").write_text(json.dumps(environment, indent=2), encoding="utf-8")
    write_whole(path, content)
