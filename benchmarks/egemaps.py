"""What the classic reaches that the embedded voice model competes with: eGeMAPS by openSMILE, and an SVM.

It learns from the rows of which the recipe of the embedded voice learns (of EmoGator's a quarter, as many as
an epoch of ours hears), its C being chosen on the validation rows by UAR. It is tested on the corpora that
neither has heard, as they come and, as with `--adapt collection`, with features normalised over all
recordings. openSMILE's licence is for research alone, so that it is no dependency: `pip install opensmile`
first. Its time is in `embedded`.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.embedded import functionals
from emojudge.audio.decode import decode
from emojudge.corpora import load_corpus
from emojudge.emotions import EMOTIONS
from emojudge.evaluation.metrics import uar
from emojudge.recipe import Recipe
from emojudge.records import Utterance
from emojudge.training.split import load_split

Features = NDArray[np.float64]
RECIPE = Path(__file__).parent.parent / "recipes" / "default" / "audio.yaml"
COSTS = (0.01, 0.1, 1.0, 10.0)


def run(arguments: argparse.Namespace) -> dict[str, Any] | None:
    if importlib.util.find_spec("opensmile") is None:
        raise SystemExit(
            "openSMILE is not installed: pip install opensmile (its licence is for research alone)"
        )
    from sklearn.pipeline import Pipeline

    recipe = Recipe.read(RECIPE)
    train = _share(recipe, arguments.corpora, "train")
    dev = _share(recipe, arguments.corpora, "validation")
    known, known_emotions = _features(train), _labels(train)
    heard, heard_emotions = _features(dev), _labels(dev)

    def validation(model: Pipeline) -> float:
        return uar(heard_emotions, model.predict(heard), len(EMOTIONS))

    models = [_svm(cost).fit(known, known_emotions) for cost in COSTS]
    model = max(models, key=validation)
    figures: dict[str, Any] = {
        "train_items": len(train),
        "cost": COSTS[models.index(model)],
        "validation_uar": round(validation(model), 4),
    }
    for name in ("ravdess", "nemo"):
        clips = [u for u in load_corpus(name, arguments.corpora / name) if u.emotion]
        features, truth = _features(clips), _labels(clips)
        for kind, rows in (("", features), ("_collection", _as_collection(model, features))):
            scores = model.decision_function(rows)
            absent = ~np.isin(model.classes_, truth)
            scores[:, absent] = -np.inf  # as with ours: emotions that the corpus lacks are ruled out
            found = model.classes_[scores.argmax(axis=1)]
            figures[f"{name}{kind}"] = {
                "items": len(clips),
                "uar": round(uar(truth, found, len(EMOTIONS)), 4),
            }
        print(name, figures[name], figures[f"{name}_collection"], file=sys.stderr, flush=True)
    return figures


def _share(recipe: Recipe, corpora: Path, name: str) -> list[Utterance]:
    """The split's rows; of a source that an epoch hears a part of, that part."""
    split = load_split(recipe, corpora, name)
    drawn = np.random.default_rng(0).random(len(split.utterances))
    return [u for u, r, d in zip(split.utterances, split.repeats, drawn, strict=True) if d < r]


def _features(utterances: Sequence[Utterance]) -> Features:
    """The 88 functionals, `(items, 88)`; of recordings too short or too silent for one, 0."""
    measure = functionals()
    rows = []
    for number, utterance in enumerate(utterances):
        if number % 500 == 0:
            print(f"{number} of {len(utterances)} recordings", file=sys.stderr, flush=True)
        assert utterance.audio is not None
        rows.append(measure(decode(utterance.audio).samples)[0])
    return np.nan_to_num(np.array(rows, dtype=np.float64))


def _labels(utterances: Sequence[Utterance]) -> NDArray[np.int64]:
    return np.array([EMOTIONS.index(u.emotion) for u in utterances if u.emotion])


def _svm(cost: float) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(
        StandardScaler(), SVC(C=cost, class_weight="balanced", decision_function_shape="ovr")
    )


def _as_collection(model: Any, features: Features) -> Features:
    """Features whose mean and deviation are those of the training rows."""
    scale = model.named_steps["standardscaler"]
    normal = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    adapted: Features = normal * scale.scale_ + scale.mean_
    return adapted
