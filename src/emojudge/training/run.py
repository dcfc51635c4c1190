"""From a recipe to a trained model: corpora, splits, model, trainer, in one resumable run folder."""

import hashlib
import json
import logging
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from emojudge.bundle.make import embedding_statistics
from emojudge.corpora.sources import source_split
from emojudge.errors import RecipeError, TrainingError
from emojudge.files import write_whole
from emojudge.models.acoustic import AcousticModel
from emojudge.models.linguistic import LinguisticModel
from emojudge.progress import Progress, untold
from emojudge.recipe import AcousticSettings, Recipe, Source
from emojudge.records import Utterance
from emojudge.training.checkpoint import load_checkpoint
from emojudge.training.data import AUXILIARY, AudioData, Data, TextData, targets
from emojudge.training.frames import FrameData, encode_views
from emojudge.training.outputs import embeddings
from emojudge.training.ranks import Ranks
from emojudge.training.steps import output_count
from emojudge.training.trainer import Trainer

BEST = "best.safetensors"
MakeData = Callable[["Split", bool], Data]  # whether it is for training: augmented, statistics taken

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Split:
    """The utterances of a recipe's split, and how often an epoch takes each."""

    utterances: list[Utterance]
    repeats: NDArray[np.float64]
    choices: NDArray[np.bool_]  # (items, 8): the emotions that an item's corpus has labels for
    views: NDArray[np.int64]  # how often each is encoded ahead of training, see `training.frames`
    sources: NDArray[np.str_]  # what each comes from: a corpus, and where it lies

    def of(self, sources: set[str]) -> list[int]:
        """The items' positions that come from these sources."""
        return [at for at, source in enumerate(self.sources) if source in sources]


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
        parts = {name: load_split(recipe, data, name) for name in ("train", "validation")}
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


def load_split(recipe: Recipe, data: Path, name: str) -> Split:
    """All utterances of the recipe's sources in `train` or `validation` that have a target of its tasks.

    Those without what the model reads, a transcript or a recording, are left out, and a warning counts them.

    Raises:
        TrainingError: none is left.
    """
    utterances: list[Utterance] = []
    repeats: list[float] = []
    choices: list[NDArray[np.bool_]] = []
    views: list[int] = []
    sources: list[str] = []
    for source in recipe.data:
        soft = source.labels == "votes" and name == "train"
        read = [u if soft else _decided(u, source) for u in source_split(source, data, name)]
        wanted = [u for u in read if _has_target(u, recipe)]
        chosen = [u for u in wanted if _has_input(u, recipe)]
        if left := len(wanted) - len(chosen):
            what = "recording" if recipe.modality == "audio" else "transcript"
            logger.warning("%s, %s: %d left out, which have no %s", source_name(source), name, left, what)
        utterances += chosen
        repeats += [source.repeat] * len(chosen)
        views += [source.views] * len(chosen)
        sources += [source_name(source)] * len(chosen)
        labelled = targets(chosen)[0].any(axis=0)
        choices.append(np.tile(labelled, (len(chosen), 1)))
    if not utterances:
        found = f"no labelled utterance with {recipe.modality} in {name}"
        raise TrainingError(recipe.name, found=found, expected="at least one")
    together = np.concatenate(choices)
    together[:, ~together.any(axis=0)] = True  # an emotion that no corpus has is one that nothing shows
    return Split(utterances, np.array(repeats), together, np.array(views), np.array(sources))


def source_name(source: Source) -> str:
    """A corpus may come twice, such as two tables; with its folder it is one alone."""
    return f"{source.corpus}:{source.folder}"


def _decided(utterance: Utterance, source: Source) -> Utterance:
    """The utterance without its votes, where its corpus has decided or the recipe wants decisions alone."""
    if utterance.emotion or utterance.label or source.labels == "consensus":
        return utterance.model_copy(update={"votes": None})
    return utterance


def _has_target(utterance: Utterance, recipe: Recipe) -> bool:
    labelled = "emotion" in recipe.tasks and bool(utterance.emotion or utterance.votes)
    return labelled or ("attributes" in recipe.tasks and utterance.attributes is not None)


def _has_input(utterance: Utterance, recipe: Recipe) -> bool:
    return (utterance.audio if recipe.modality == "audio" else utterance.transcript) is not None


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


def standardise(model: AcousticModel, data: Data, repeats: NDArray[np.float64]) -> None:
    """Bring the head's input to mean 0 and deviation 1 over the training split's clips as they are."""
    mean, deviation = embedding_statistics(embeddings(model, data), repeats)
    model.head.standardise(torch.tensor(mean), torch.tensor(deviation))


def _tokenizer(where: str) -> Tokenizer:
    path = tokenizer_file(where)
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing narrower
        raise _no_tokenizer(where, error) from error


def _no_tokenizer(where: str, error: Exception) -> RecipeError:
    reason, *_ = str(error).split("\n")
    return RecipeError(where, found=f"no tokenizer: {reason}", expected="a tokenizer.json")


def weights_at(name: str, folder: Path | None) -> str:
    """Where the weights are: under the folder that was given, else a path or Hub name as it stands."""
    return str(folder / name) if folder else name


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
