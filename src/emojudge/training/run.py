"""From a recipe to a trained model: corpora, splits, model, trainer, in one resumable run folder."""

import hashlib
import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from emojudge.corpora.sources import source_split
from emojudge.errors import RecipeError, TrainingError
from emojudge.models.acoustic import AcousticModel
from emojudge.models.linguistic import LinguisticModel
from emojudge.recipe import Recipe
from emojudge.records import Utterance
from emojudge.training.data import AudioData, Data, TextData, targets
from emojudge.training.steps import output_count
from emojudge.training.trainer import Progress, Trainer

MakeData = Callable[["Split", bool], Data]  # whether it is for training: augmented, statistics taken


@dataclass(frozen=True)
class Split:
    """The utterances of a recipe's split, and how often an epoch takes each."""

    utterances: list[Utterance]
    repeats: NDArray[np.float64]
    choices: NDArray[np.bool_]  # (items, 8): the emotions that an item's corpus has labels for


@dataclass(frozen=True)
class Trained:
    """A trained model with what its export needs."""

    recipe: Recipe
    model: nn.Module
    metrics: dict[str, float]
    validation: Data
    train: Data


def train(recipe: Recipe, data: Path, folder: Path, weights: Path | None = None,
          progress: Progress = lambda done, steps, text: None) -> Trained:  # fmt: skip
    """Train the recipe's model, or go on where the run folder's last checkpoint stands.

    Args:
        recipe: what to train.
        data: the folder that holds the sources' folders.
        folder: the run's own; it keeps the recipe, the environment, metrics, checkpoints.
        weights: folder in which the encoder's weights lie by the name in the recipe; without it the name is
            a path or a name on the Hub.

    Raises:
        RecipeError: the folder belongs to another recipe.
        CorpusError: a corpus is missing or not as its release has it.
        TrainingError: nothing to train on, or the loss is no longer a number.
    """
    _claim(folder, recipe)
    torch.manual_seed(recipe.training.seed)
    parts = {name: load_split(recipe, data, name) for name in ("train", "validation")}
    model, make = model_and_data(recipe, weights)
    train_data, validation_data = make(parts["train"], True), make(parts["validation"], False)
    trainer = Trainer(
        model,
        recipe.training,
        recipe.tasks,
        train_data,
        parts["train"].repeats,
        validation_data,
        folder,
        recipe.acoustic.attention_penalty if recipe.acoustic else 0.0,
    )
    metrics = trainer.run(progress)
    return Trained(recipe, model, metrics, validation_data, train_data)


def load_split(recipe: Recipe, data: Path, name: str) -> Split:
    """All utterances of the recipe's sources in a split, `train` or `validation`, that have a target."""
    utterances: list[Utterance] = []
    repeats: list[float] = []
    choices: list[NDArray[np.bool_]] = []
    for source in recipe.data:
        chosen = [u for u in source_split(source, data, name) if u.emotion or u.votes or u.attributes]
        utterances += chosen
        repeats += [source.repeat] * len(chosen)
        labelled = targets(chosen)[0].any(axis=0)
        choices.append(np.tile(labelled, (len(chosen), 1)))
    if not utterances:
        raise TrainingError(recipe.name, found=f"no labelled utterance in {name}", expected="at least one")
    together = np.concatenate(choices)
    together[:, ~together.any(axis=0)] = True  # an emotion that no corpus has is one that nothing shows
    return Split(utterances, np.array(repeats), together)


def model_and_data(recipe: Recipe, weights: Path | None) -> tuple[nn.Module, MakeData]:
    """The recipe's model with its pre-trained encoder, and what turns a split into its data.

    Args:
        weights: folder in which the recipe's `weights` are looked up; None: as the recipe names them.
    """
    outputs = output_count(recipe.tasks)
    if recipe.acoustic is not None and recipe.modality == "audio":
        settings = recipe.acoustic
        where = _weights(settings.backbone.weights, weights)
        acoustic = AcousticModel.from_settings(settings, outputs, where)

        def make(split: Split, training: bool) -> Data:
            made = AudioData(
                split.utterances, settings.max_seconds, settings.augment and training, settings.trim_db
            )
            if training and settings.normalisation == "corpus":
                mean, deviation = made.statistics()
                acoustic.mean.fill_(mean)
                acoustic.deviation.fill_(deviation)
            made.choices = split.choices
            return made

        return acoustic, make
    if recipe.linguistic is None:
        raise RecipeError(recipe.name, found="no section 'linguistic'", expected="one for text")
    text = recipe.linguistic
    where = _weights(text.backbone.weights, weights)
    model = LinguisticModel.from_settings(text, outputs, where)
    tokenizer = _tokenizer(where)

    def make_text(split: Split, training: bool) -> Data:
        made = TextData(split.utterances, tokenizer, text.max_tokens)
        made.choices = split.choices
        return made

    return model, make_text


def _tokenizer(where: str) -> Tokenizer:
    """The tokenizer that lies with the weights."""
    try:
        if Path(where).is_dir():
            return Tokenizer.from_file(str(Path(where) / "tokenizer.json"))
        return Tokenizer.from_pretrained(where)
    except Exception as error:  # tokenizers raises nothing narrower
        raise RecipeError(where, found=f"no tokenizer: {error}", expected="a tokenizer.json") from error


def _weights(name: str, folder: Path | None) -> str:
    """Where the weights are: under the folder that was given, else a path or Hub name as it stands."""
    return str(folder / name) if folder else name


def _claim(folder: Path, recipe: Recipe) -> None:
    """Write the recipe and the environment into a new run folder; refuse another recipe's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.json"
    content = recipe.model_dump_json(indent=2)
    if path.exists():
        if path.read_text(encoding="utf-8") != content:
            raise RecipeError(
                folder,
                found=f"a run of another recipe ({hashlib.sha256(path.read_bytes()).hexdigest()[:8]})",
                expected=f"an empty folder, or a run of {recipe.name!r} as it is now",
                advice="Choose another --output folder.",
            )
        return
    packages = {name: version(name) for name in ("numpy", "torch", "transformers", "emojudge")}
    environment = {"python": platform.python_version(), "machine": platform.machine(), **packages}
    (folder / "environment.json").write_text(json.dumps(environment, indent=2), encoding="utf-8")
    temporary = path.with_suffix(".tmp")
    temporary.write_text(content, encoding="utf-8")
    os.replace(temporary, path)
