"""How good a model's outputs on a validation split are: the figures that the best epoch is selected by."""

import numpy as np
import torch
from numpy.typing import NDArray

from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.errors import TrainingError
from emojudge.evaluation.metrics import ccc, macro_f1, uar
from emojudge.recipe import Task, TrainingSettings
from emojudge.training.data import Data
from emojudge.training.steps import output_count, split_outputs


def validation_metrics(outputs: NDArray[np.float32], data: Data, tasks: tuple[Task, ...]) -> dict[str, float]:
    """Macro-F1 and UAR over the items with one emotion, CCC over those with attributes, on the whole split.

    Of an item with votes, the emotion is the one with the most; where two share the most, there is none.
    Macro-F1 is over the classes that the split holds, so that a corpus without, say, contempt can select.
    """
    emotion, attributes = split_outputs(torch.from_numpy(outputs), tasks)
    metrics: dict[str, float] = {}
    ordered = np.sort(data.emotions, axis=1)
    known = ordered[:, -1] > ordered[:, -2]
    if emotion is not None and known.any():
        truth, predicted = data.emotions[known].argmax(axis=1), emotion.numpy()[known].argmax(axis=1)
        present = np.unique(truth)
        share = len(EMOTIONS) / len(present)
        absent_hit = macro_f1(truth, predicted, len(EMOTIONS)) * share
        metrics |= {"macro_f1": absent_hit, "uar": uar(truth, predicted, len(EMOTIONS))}
    rated = ~np.isnan(data.attributes).any(axis=1)
    if attributes is not None and rated.any():
        values = attributes.numpy()[rated]
        each = [ccc(data.attributes[rated, i], values[:, i]) for i in range(len(ATTRIBUTES))]
        metrics |= {f"ccc_{name}": value for name, value in zip(ATTRIBUTES, each, strict=True)}
        metrics["ccc"] = float(np.mean(each))
    if "macro_f1" in metrics and "ccc" in metrics:
        metrics["mean"] = (metrics["macro_f1"] + metrics["ccc"]) / 2
    return metrics


def check_targets(settings: TrainingSettings, tasks: tuple[Task, ...], train: Data, validation: Data) -> None:
    """Refuse now what would fail hours later.

    Raises:
        TrainingError: nothing to learn an auxiliary task from, or nothing to select the best epoch by.
    """
    if settings.auxiliary:
        # The speaker's gender, and one of the emotions ticked.
        known = ~np.isnan(train.auxiliary)
        for name, there in (("gender", known[:, 0].any()), ("secondary", known[:, 1].any())):
            if getattr(settings.auxiliary, name) and not there:
                raise TrainingError(
                    f"training.auxiliary.{name}", found="no item of which it is known", expected="some"
                )
    blank = np.zeros((len(validation.sizes), output_count(tasks)), dtype=np.float32)
    figures = validation_metrics(blank, validation, tasks)
    if settings.select not in (*figures, "last"):
        raise TrainingError(
            "training.select",
            found=settings.select,
            expected="what the tasks and the validation split's labels give: "
            + ", ".join([*figures, "last"]),
        )
