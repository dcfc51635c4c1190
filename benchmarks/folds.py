"""EMO-DB, ten folds by speaker: what the acoustic recipe reaches when it hears its own corpus."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from emojudge.corpora import load_corpus
from emojudge.corpora.splits import speaker_folds
from emojudge.emotions import EMOTIONS
from emojudge.evaluation.metrics import uar
from emojudge.recipe import Recipe
from emojudge.training.frames import FrameData
from emojudge.training.model import model_and_data
from emojudge.training.run import standardise
from emojudge.training.split import Split
from emojudge.training.trainer import Trainer

RECIPE = Path(__file__).parent.parent / "recipes" / "emodb" / "frozen.yaml"


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """UAR over all folds' test items together, over the corpus's six emotions of ours."""
    recipe = Recipe.read(RECIPE)
    utterances = [u for u in load_corpus("emodb", arguments.corpora / "emodb") if u.emotion]
    row = {u.id: number for number, u in enumerate(utterances)}
    truth, predicted = [], []
    with tempfile.TemporaryDirectory() as folder:
        # The backbone is frozen, so that every fold reads the same frames: they depend on no label.
        clips = _frames(recipe, arguments.weights, utterances, Path(folder))
        for fold, (train, test) in enumerate(speaker_folds(utterances, 10, seed=0)):
            rows = [np.array([row[u.id] for u in part]) for part in (train, test)]
            known = np.isin(EMOTIONS, list({u.emotion for u in train}))
            parts = [clips.subset(r, known) for r in rows]
            outputs = _fold(recipe, arguments.weights, parts[0], parts[1], Path(folder) / str(fold))
            outputs[:, ~known] = -np.inf  # emotions that the corpus lacks are ruled out
            truth += [EMOTIONS.index(u.emotion) for u in test if u.emotion]
            predicted += list(outputs.argmax(axis=1))
            print(f"fold {fold + 1}: {uar(truth, predicted, len(EMOTIONS)):.4f} so far", file=sys.stderr)
    return {"items": len(truth), "uar": round(uar(truth, predicted, len(EMOTIONS)), 4)}


def _frames(recipe: Recipe, weights: Path, utterances: list[Any], folder: Path) -> FrameData:
    _, make = model_and_data(recipe, weights, folder / "frames")
    count = len(utterances)
    views = np.full(count, recipe.data[0].views)
    choices, sources = np.ones((count, len(EMOTIONS)), dtype=bool), np.full(count, "emodb")
    made = make(Split(utterances, np.ones(count), choices, views, sources), True)
    if not isinstance(made, FrameData):
        raise SystemExit(f"{RECIPE}: its frames are not cached")
    return made


def _fold(recipe: Recipe, weights: Path, train: FrameData, test: FrameData, folder: Path) -> np.ndarray:  # type: ignore[type-arg]
    """Outputs `(items, 8)` for a fold's test part."""
    model, _ = model_and_data(recipe, weights, folder)
    repeats = np.ones(len(train.sizes))
    standardise(model, train, repeats)  # type: ignore[arg-type]
    trainer = Trainer(
        model, recipe.training, recipe.tasks, train, repeats, test, folder,
        recipe.acoustic.attention_penalty if recipe.acoustic else 0.0,
    )  # fmt: skip
    trainer.run()
    return trainer.predict(test)
