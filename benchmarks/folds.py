"""EMO-DB, ten folds by speaker: what the acoustic recipe reaches when it hears its own corpus.

How many epochs are trained is found inside each fold, by three folds of its nine speakers: the tenth has no
part in it. With `--output FOLDER` a run that was killed goes on.
"""

import argparse
import csv
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.corpora import load_corpus
from emojudge.corpora.splits import speaker_folds
from emojudge.emotions import EMOTIONS
from emojudge.evaluation.metrics import uar
from emojudge.recipe import Recipe
from emojudge.records import Utterance
from emojudge.training.frames import FrameData
from emojudge.training.model import model_and_data
from emojudge.training.run import standardise
from emojudge.training.split import Split
from emojudge.training.trainer import Trainer

Mask = NDArray[np.bool_]  # (8,), emotions
INNER = 3  # folds of a fold's speakers
RECIPE = Path(__file__).parent.parent / "recipes" / "emodb" / "frozen.yaml"


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """UAR over all folds' test items together, over the corpus's six emotions of ours."""
    recipe = Recipe.read(RECIPE)
    utterances = [u for u in load_corpus("emodb", arguments.corpora / "emodb") if u.emotion]
    row = {u.id: number for number, u in enumerate(utterances)}
    truth, predicted, chosen = [], [], []
    output: Path | None = arguments.output
    with nullcontext(output) if output else tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The backbone is frozen, so that every fold reads the same frames: they depend on no label.
        clips = _frames(recipe, arguments.weights, utterances, folder)
        for fold, (train, test) in enumerate(speaker_folds(utterances, 10, seed=0)):
            rows = [np.array([row[u.id] for u in part]) for part in (train, test)]
            known = np.isin(EMOTIONS, list({u.emotion for u in train}))
            parts = [clips.subset(r, known) for r in rows]
            place = folder / str(fold)
            epochs = _epochs(recipe, arguments.weights, parts[0], train, known, place)
            chosen.append(epochs)
            outputs = _trained(recipe, arguments.weights, parts[0], parts[1], place, epochs).predict(parts[1])
            outputs[:, ~known] = -np.inf  # emotions that the corpus lacks are ruled out
            truth += [EMOTIONS.index(u.emotion) for u in test if u.emotion]
            predicted += list(outputs.argmax(axis=1))
            so_far = uar(truth, predicted, len(EMOTIONS))
            print(f"fold {fold + 1}: {epochs} epochs, {so_far:.4f} so far", file=sys.stderr, flush=True)
    return {"items": len(truth), "uar": round(uar(truth, predicted, len(EMOTIONS)), 4), "epochs": chosen}


def _frames(recipe: Recipe, weights: Path, utterances: list[Any], folder: Path) -> FrameData:
    _, make = model_and_data(recipe, weights, folder / "frames")
    count = len(utterances)
    views = np.full(count, recipe.data[0].views)
    choices, sources = np.ones((count, len(EMOTIONS)), dtype=bool), np.full(count, "emodb")
    made = make(Split(utterances, np.ones(count), choices, views, sources), True)
    if not isinstance(made, FrameData):
        raise SystemExit(f"{RECIPE}: its frames are not cached")
    return made


def _epochs(
    recipe: Recipe, weights: Path, train: FrameData, speakers: list[Utterance], known: Mask, folder: Path
) -> int:
    """After how many epochs the mean UAR on speakers who are held out of these is highest."""
    row = {u.id: number for number, u in enumerate(speakers)}
    curves = []
    for number, (some, others) in enumerate(speaker_folds(speakers, INNER, seed=0)):
        parts = [train.subset(np.array([row[u.id] for u in part]), known) for part in (some, others)]
        place = folder / f"inner{number}"
        _trained(recipe, weights, parts[0], parts[1], place, recipe.training.epochs)
        with (place / "metrics.csv").open(encoding="utf-8", newline="") as file:
            curves.append([float(line["uar"]) for line in csv.DictReader(file)])
    return 1 + int(np.mean(curves, axis=0).argmax())


def _trained(
    recipe: Recipe, weights: Path, train: FrameData, test: FrameData, folder: Path, epochs: int
) -> Trainer:
    model, _ = model_and_data(recipe, weights, folder)
    repeats = np.ones(len(train.sizes))
    standardise(model, train, repeats)  # type: ignore[arg-type]
    settings = recipe.training.model_copy(update={"epochs": epochs})
    penalty = recipe.acoustic.attention_penalty if recipe.acoustic else 0.0
    trainer = Trainer(model, settings, recipe.tasks, train, repeats, test, folder, penalty)
    trainer.run()
    return trainer
