"""What a recipe trains on, or is measured on: the utterances of a split, of all its corpora."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emojudge.corpora.sources import source_split
from emojudge.errors import TrainingError
from emojudge.recipe import Recipe, Source
from emojudge.records import Utterance
from emojudge.training.data import targets

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
