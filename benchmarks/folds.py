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
from emojudge.training.run import Split, model_and_data
from emojudge.training.trainer import Trainer

RECIPE = Path(__file__).parent.parent / "recipes" / "emodb" / "frozen.yaml"


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """UAR over all folds' test items together, over the corpus's six emotions of ours."""
    recipe = Recipe.read(RECIPE)
    utterances = [u for u in load_corpus("emodb", arguments.corpora / "emodb") if u.emotion]
    truth, predicted = [], []
    for fold, (train, test) in enumerate(speaker_folds(utterances, 10, seed=0)):
        with tempfile.TemporaryDirectory() as folder:
            outputs = _fold(recipe, arguments.weights, train, test, Path(folder))
        truth += [EMOTIONS.index(u.emotion) for u in test if u.emotion]
        predicted += list(outputs.argmax(axis=1))
        print(f"fold {fold + 1}: {uar(truth, predicted, len(EMOTIONS)):.4f} so far", file=sys.stderr)
    return {"items": len(truth), "uar": round(uar(truth, predicted, len(EMOTIONS)), 4)}


def _fold(recipe: Recipe, weights: Path, train: list, test: list, folder: Path) -> np.ndarray:  # type: ignore[type-arg]
    """Outputs `(items, 8)` for a fold's test part; emotions that the corpus lacks are ruled out."""
    model, make = model_and_data(recipe, weights)
    choices = np.isin(EMOTIONS, list({u.emotion for u in train}))
    data = [
        make(Split(part, np.ones(len(part)), np.tile(choices, (len(part), 1))), part is train)
        for part in (train, test)
    ]
    trainer = Trainer(
        model, recipe.training, recipe.tasks, data[0], np.ones(len(train)), data[1], folder,
        recipe.acoustic.attention_penalty if recipe.acoustic else 0.0,
    )  # fmt: skip
    trainer.run()
    outputs = trainer.predict(data[1])
    outputs[:, ~choices] = -np.inf
    return outputs
