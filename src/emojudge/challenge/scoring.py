"""What a row scores on a split: its figures with intervals, and what refinement gained."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import ATTRIBUTES, EMOTIONS, SCALE_HALF, SCALE_MIDDLE
from emojudge.evaluation.figures import ACCURACY, Figure, ccc, macro_f1, mean_ccc
from emojudge.evaluation.significance import Difference, Interval, bootstrap, paired_bootstrap
from emojudge.recipe import Task
from emojudge.records import Utterance

Values = NDArray[
    np.float32
]  # (items, 8) logits or (items, 3) attributes; NaN where there is nothing to go by

_MACRO_F1 = macro_f1(len(EMOTIONS))
_FIGURES: dict[Task, tuple[Figure, ...]] = {
    "emotion": (_MACRO_F1, ACCURACY),
    "attributes": (*map(ccc, range(len(ATTRIBUTES))), mean_ccc(len(ATTRIBUTES))),
}


def figures(items: list[Utterance], values: Values, task: Task) -> tuple[tuple[Interval, ...], int]:
    """Figures in the order of `systems.FIGURES`, and of how many items; none where none is labelled."""
    rows = np.flatnonzero(labelled(items, task) & known(values))
    if not len(rows):
        return (), 0
    right, given = truth([items[row] for row in rows], task), values[rows]
    predicted = given.argmax(axis=1) if task == "emotion" else given
    groups = speakers(items, rows)
    return tuple(bootstrap(figure, right, predicted, groups=groups) for figure in _FIGURES[task]), len(rows)


def gain(items: list[Utterance], before: Values, after: Values) -> Difference | None:
    """Macro-F1 of `after` against `before`, both logits `(items, 8)`, paired; None where none is labelled."""
    rows = np.flatnonzero(labelled(items, "emotion") & known(before, after))
    if not len(rows):
        return None
    right = truth([items[row] for row in rows], "emotion")
    pair = (values[rows].argmax(axis=1) for values in (before, after))
    return paired_bootstrap(_MACRO_F1, right, *pair, groups=speakers(items, rows))


def speakers(items: list[Utterance], rows: NDArray[np.intp]) -> list[str]:
    """A key for each item that is drawn whole; who has no known speaker is somebody of their own."""
    return [items[row].speaker or items[row].id for row in rows]


def known(*values: Values) -> NDArray[np.bool_]:
    """Items that every one of the arrays has values for, `(items,)`."""
    return np.asarray(np.all([~np.isnan(v).any(axis=1) for v in values], axis=0))


def labelled(items: list[Utterance], task: Task) -> NDArray[np.bool_]:
    """Items with what the task predicts, `(items,)`."""
    return np.array([(u.emotion if task == "emotion" else u.attributes) is not None for u in items])


def truth(items: list[Utterance], task: Task) -> NDArray[Any]:
    """Emotions' indices `(items,)`, or attributes on 1..7 `(items, 3)`."""
    if task == "emotion":
        return np.array([EMOTIONS.index(u.emotion) for u in items if u.emotion])
    return np.array([[getattr(u.attributes, name) for name in ATTRIBUTES] for u in items])


def scaled(values: Values) -> Values:
    """Models' -1..1 as 1..7."""
    return np.asarray(SCALE_MIDDLE + SCALE_HALF * values, dtype=np.float32)
