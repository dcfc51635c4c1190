"""A recipe's model with its pre-trained encoder, and what turns a split into its data."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from emojudge.errors import RecipeError
from emojudge.models.acoustic import AcousticModel
from emojudge.models.linguistic import LinguisticModel
from emojudge.progress import Progress, untold
from emojudge.recipe import AcousticSettings, Recipe
from emojudge.training.data import AUXILIARY, AudioData, Data, TextData
from emojudge.training.frames import FrameData, encode_views
from emojudge.training.split import Split
from emojudge.training.steps import output_count

MakeData = Callable[[Split, bool], Data]  # whether it is for training: augmented, statistics taken


def model_and_data(
    recipe: Recipe,
    weights: Path | None,
    cache: Path | None = None,
    progress: Progress = untold,
    decoded: Path | None = None,
) -> tuple[nn.Module, MakeData]:
    """The recipe's model with its pre-trained encoder, and what turns a split into its data.

    Args:
        weights: folder in which the recipe's `weights` are looked up; None: as the recipe names them.
        cache: folder for the frames of a frozen backbone; None: recordings are encoded whenever they come.
        decoded: folder for decoded recordings, where the recipe wants them kept; None: for data that is read
            once.
    """
    outputs = output_count(recipe.tasks)
    auxiliary = len(AUXILIARY) if recipe.training.auxiliary else 0
    if recipe.acoustic is not None and recipe.modality == "audio":
        settings = recipe.acoustic
        where = weights_at(settings.backbone.weights, weights)
        acoustic = AcousticModel.from_settings(settings, outputs, where, auxiliary)
        kept = cache if settings.cache_frames else None
        if kept and any(p.requires_grad for p in acoustic.backbone.parameters()):
            raise RecipeError(
                "acoustic.cache_frames",
                found="a backbone that is trained",
                expected="one that is frozen as a whole",
                advice="Set backbone.frozen_layers to the number of its layers.",
            )

        def make(split: Split, training: bool) -> Data:
            measured = training and settings.normalisation == "corpus"
            if kept is not None and not measured:
                return _encoded(acoustic, settings, split, training, kept, progress)
            made = AudioData(
                split.utterances,
                settings.max_seconds,
                settings.augment and training,
                settings.trim_db,
                decoded if settings.cache_audio else None,
                progress,
            )
            if measured:
                mean, deviation = made.statistics()
                acoustic.mean.fill_(mean)
                acoustic.deviation.fill_(deviation)
            made.choices = split.choices
            return made if kept is None else _encoded(acoustic, settings, split, training, kept, progress)

        return acoustic, make
    if recipe.linguistic is None:
        raise RecipeError(recipe.name, found="no section 'linguistic'", expected="one for text")
    text = recipe.linguistic
    where = weights_at(text.backbone.weights, weights)
    model = LinguisticModel.from_settings(text, outputs, where, auxiliary)
    tokenizer = _tokenizer(where)

    def make_text(split: Split, training: bool) -> Data:
        made = TextData(split.utterances, tokenizer, text.max_tokens)
        made.choices = split.choices
        return made

    return model, make_text


def tokenizer_file(where: str) -> Path:
    """The `tokenizer.json` that lies with the weights at `where`, a folder or a name on the Hub.

    Raises:
        RecipeError: there is none.
    """
    from transformers.utils.hub import cached_file

    try:  # None is for callers who allow that there is none
        return Path(cast(str, cached_file(where, "tokenizer.json")))
    except OSError as error:
        raise _no_tokenizer(where, error) from error


def _encoded(
    model: AcousticModel, settings: AcousticSettings, split: Split, training: bool, cache: Path,
    progress: Progress,
) -> FrameData:  # fmt: skip
    """The split's frames, source by source, which is how runs and the making of a bundle share them."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.eval().to(device)

    def encode(waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        hidden, frames = model.encode(waveforms.to(device), lengths.to(device))
        return hidden.cpu(), frames.cpu()

    kept = {"backbone", "normalisation", "max_seconds", "trim_db", "augment"}
    depends = settings.model_dump(include=kept, exclude={"backbone": {"lora"}})  # which no frozen one has
    normal = [float(model.mean), float(model.deviation)]
    clips, frames = [], []
    order: list[NDArray[np.int64]] = []
    for source in np.unique(split.sources):
        rows = np.flatnonzero(split.sources == source)
        views = int(split.views[rows[0]]) if training else 1
        items = [split.utterances[i] for i in rows]
        group = AudioData(items, settings.max_seconds, settings.augment, settings.trim_db)
        group.choices = split.choices[rows]
        key = json.dumps([[u.id for u in items], depends, normal, version("emojudge")])
        frames.append(encode_views(group, views, encode, cache, key, progress))
        clips.append(group)
        order.append(rows)
    return FrameData(clips, frames, np.argsort(np.concatenate(order)))


def weights_at(name: str, folder: Path | None) -> str:
    """Where the weights are: under the folder that was given, else a path or Hub name as it stands."""
    return str(folder / name) if folder else name


def _tokenizer(where: str) -> Tokenizer:
    path = tokenizer_file(where)
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing narrower
        raise _no_tokenizer(where, error) from error


def _no_tokenizer(where: str, error: Exception) -> RecipeError:
    reason, *_ = str(error).split("\n")
    return RecipeError(where, found=f"no tokenizer: {reason}", expected="a tokenizer.json")
