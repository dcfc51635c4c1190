"""What finished models make of items that they were not trained on: the ground of calibration and fusion."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from emojudge.bundle.format import Bundle
from emojudge.bundle.sessions import LinguisticSession
from emojudge.emotions import EMOTIONS
from emojudge.errors import BundleError, TrainingError
from emojudge.recipe import Recipe
from emojudge.training.data import AudioData, targets
from emojudge.training.model import model_and_data, tokenizer_file, weights_at
from emojudge.training.outputs import outputs
from emojudge.training.run import best_parameters
from emojudge.training.split import Split, load_split, source_name
from emojudge.training.steps import split_outputs

AUGMENTED_SEED = 2026  # of the held-out clips' second version, as a strange channel would give it

Logits = NDArray[np.float32]


class Run:
    """A finished run folder: its recipe, its best model, its held-out data."""

    def __init__(self, folder: Path, data: Path, weights: Path | None) -> None:
        tensors, self.metrics = best_parameters(folder)
        self.recipe = Recipe.read(folder / "recipe.json")  # JSON is YAML
        self.model, self.make = model_and_data(self.recipe, weights, folder / "frames")
        self.model.load_state_dict(tensors)
        self.model.eval()
        self.environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        self.data = data
        self.folder = folder
        self._weights = weights

    def tokenizer(self) -> Path:
        """The words' `tokenizer.json`, beside the pre-trained weights."""
        assert self.recipe.linguistic is not None
        return tokenizer_file(weights_at(self.recipe.linguistic.backbone.weights, self._weights))

    def provenance(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.model_dump(mode="json", exclude_defaults=True),
            "validation": {k: round(v, 4) for k, v in self.metrics.items()},
            "environment": self.environment,
        }


@dataclass(frozen=True)
class HeldOut:
    """Logits `(items, 8)` and labels `(items,)` of held-out items, with the corpus and language of each."""

    logits: Logits
    labels: NDArray[np.int64]
    sources: NDArray[np.str_]
    languages: set[str | None]

    @classmethod
    def of(cls, split: Split, rows: Sequence[int], logits: Logits) -> Self:
        """Those of the split's `rows` that have one emotion, with the logits `(rows, 8)`."""
        utterances = [split.utterances[row] for row in rows]
        emotions, _ = targets(utterances)
        single = emotions.max(axis=1) == 1.0
        languages = {u.language for u in utterances}
        sources = split.sources[list(rows)]
        return cls(logits[single], emotions[single].argmax(axis=1), sources[single], languages)

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """One after the other."""
        return cls(
            np.concatenate([part.logits for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.sources for part in parts]),
            {language for part in parts for language in part.languages},
        )

    def shares(self) -> NDArray[np.float64]:
        """A weight for each item `(items,)`, so that every corpus counts the same."""
        return 1.0 / np.array([np.sum(self.sources == source) for source in self.sources])


def voices(run: Run, strangers: Sequence[Run] = ()) -> HeldOut:
    """Held-out clips as they are and as a strange channel would give them.

    Args:
        strangers: runs of the recipe without one of its corpora. That corpus they have never heard, so it is
            they who judge it here: as the model will do with what its users record. Items of a corpus that
            was heard, by other speakers, are easier than anything that comes later.
    """
    validation = load_split(run.recipe, run.data, "validation")
    everything = (load_split(run.recipe, run.data, "train"), validation) if strangers else ()
    parts: list[HeldOut] = []
    unheard: set[str] = set()
    for stranger in strangers:
        new = _sources(run) - _sources(stranger)
        if not new:
            raise TrainingError(
                stranger.folder,
                found=f"a run that heard {', '.join(sorted(_sources(stranger)))}",
                expected="one without a corpus of the bundle's own run",
            )
        parts += [_heard(stranger, split, rows) for split in everything if (rows := split.of(new))]
        unheard |= new
    if rows := validation.of(_sources(run) - unheard):
        parts.append(_heard(run, validation, rows))
    return HeldOut.together(parts)


def words(source: Run | Bundle, data: Path) -> HeldOut:
    """Held-out lines, read by a run's model or by the words' model of a bundle."""
    if isinstance(source, Run):
        split = load_split(source.recipe, data, "validation")
        read = outputs(source.model, source.make(split, False))
        emotion, _ = split_outputs(torch.from_numpy(read), source.recipe.tasks)
        assert emotion is not None
        return HeldOut.of(split, range(len(split.utterances)), emotion.numpy())
    part = source.manifest.text
    if part is None or "text" not in source.manifest.provenance:
        raise BundleError(
            source.folder, found="no words' model with a recipe", expected="one, to take it over"
        )
    recipe = Recipe.model_validate(source.manifest.provenance["text"]["recipe"])
    split = load_split(recipe, data, "validation")
    rows = [at for at, u in enumerate(split.utterances) if u.transcript]
    texts = [t.text for row in rows if (t := split.utterances[row].transcript)]
    return HeldOut.of(split, rows, LinguisticSession(source, part.max_tokens)(texts)[:, : len(EMOTIONS)])


def _sources(run: Run) -> set[str]:
    return {source_name(source) for source in run.recipe.data}


def _heard(run: Run, split: Split, rows: list[int]) -> HeldOut:
    settings = run.recipe.acoustic
    assert settings is not None
    clips = [split.utterances[row] for row in rows]
    data = AudioData(clips, settings.max_seconds, augment=True, trim_db=settings.trim_db)
    logits = [outputs(run.model, data, seed)[:, : len(EMOTIONS)] for seed in (None, AUGMENTED_SEED)]
    return HeldOut.of(split, [*rows, *rows], np.concatenate(logits))
