"""Trained on one corpus, tested on another: a matrix over the labels that both have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emojudge.corpora import load_corpus
from emojudge.corpora.tabular import table_rows
from emojudge.emotions import EMOTIONS, Emotion, parse_emotion
from emojudge.errors import CorpusError, PredictionsError
from emojudge.evaluation.aligned import NONE, System, Truth, align, make_truth
from emojudge.evaluation.evaluate import Settings, emotion_figures, intervals
from emojudge.evaluation.labels import Label, labels_of, read_labels
from emojudge.evaluation.predictions import Predictions
from emojudge.evaluation.significance import Interval
from emojudge.evaluation.tables import Table, interval

_COLUMNS = ("train", "test", "predictions", "truth")


@dataclass(frozen=True)
class Cell:
    """A model of one corpus on another one, over the emotions that both have labels for."""

    train: str
    test: str
    items: int
    classes: tuple[Emotion, ...]
    left_out: Mapping[Emotion, int]  # items of the test corpus with labels that the training corpus lacks
    unknown: int  # items whose own label is none of the eight, or that have no prediction
    among: bool  # the most likely of the shared classes was taken; without scores, others count as wrong
    figures: Mapping[str, Interval]
    label_map: Mapping[str, Mapping[str, int]]  # emotion → the test corpus's own names for it


def read_matrix(table: Path, settings: Settings | None = None) -> list[Cell]:
    """Cells from a table with a row for each.

    Args:
        table: with the columns train, test (names of corpora), predictions (of the model trained on `train`
            for `test`; a file beside the table), truth (a table of labels, or a corpus's folder); and where
            needed corpus (the reader of that folder) and emotions (those that `train` has labels for, such as
            "angry sad neutral"; by default all that some score or prediction names).
        settings: of the intervals.

    Raises:
        PredictionsError: a row that cannot be read.
    """
    cells = []
    known: dict[tuple[str, str], dict[str, Label]] = {}
    try:
        rows = [
            (f"{table}:{line}", {n: str(v or "").strip() for n, v in r.items()})
            for line, r in table_rows(table)
        ]
        for where, row in rows:
            lost = [name for name in _COLUMNS if not row.get(name)]
            if lost:
                raise PredictionsError(where, found=f"no {lost[0]}", expected=f"{', '.join(_COLUMNS)}")
            key = (row["truth"], row.get("corpus", ""))
            if key not in known:
                path = table.parent / key[0]
                known[key] = labels_of(load_corpus(key[1], path)) if key[1] else read_labels(path)
            truth = make_truth(known[key].values())
            system = align(Predictions(table.parent / row["predictions"]), known[key], truth)
            has = _emotions(where, row.get("emotions", ""))
            cells.append(cell(row["train"], row["test"], truth, system, has, settings))
    except CorpusError as error:
        raise PredictionsError(error.where, found=error.found, expected=error.expected) from error
    return cells


def cell(
    train: str,
    test: str,
    truth: Truth,
    system: System,
    has: Sequence[Emotion] | None = None,
    settings: Settings | None = None,
) -> Cell:
    """One cell; `has` are the emotions that the training corpus has labels for.

    Raises:
        PredictionsError: no emotion in common.
    """
    settings = settings or Settings()
    known = system.emotion != NONE
    if has is None:
        named = {int(e) for e in system.emotion[known]}
        scored = np.nan_to_num(system.scores).max(axis=0, initial=0) > 0
        has = [e for i, e in enumerate(EMOTIONS) if i in named or scored[i]]
    there = [e for i, e in enumerate(EMOTIONS) if np.any(truth.emotion == i)]
    classes = tuple(e for e in EMOTIONS if e in has and e in there)
    wanted = [EMOTIONS.index(emotion) for emotion in classes]
    rows = np.flatnonzero(known & np.isin(truth.emotion, wanted))
    if len(classes) < 2 or not len(rows):
        raise PredictionsError(
            f"{train} on {test}",
            found=f"the emotions {', '.join(has)} and {', '.join(there)}",
            expected="two or more in common, with predictions",
        )
    scores = system.scores[rows]
    among = not np.isnan(scores).any()
    predicted = np.array(wanted)[scores[:, wanted].argmax(axis=1)] if among else system.emotion[rows]
    figures = intervals(emotion_figures(wanted), truth.emotion[rows], predicted, truth, rows, settings)
    outside = {e: int(np.sum(truth.emotion == EMOTIONS.index(e))) for e in there if e not in classes}
    return Cell(
        train,
        test,
        len(rows),
        classes,
        outside,
        len(truth.ids) - len(rows) - sum(outside.values()),
        among,
        figures,
        truth.label_map(),
    )


def matrix_tables(cells: Sequence[Cell], figure: str = "UAR") -> list[Table]:
    """The matrix, and beneath it what each cell was made of."""
    trains, tests = (list(dict.fromkeys(getattr(each, side) for each in cells)) for side in ("train", "test"))
    by_place = {(each.train, each.test): each for each in cells}
    rows = [
        (
            train,
            *(
                f"{interval(found.figures[figure])} ({len(found.classes)})" if found else ""
                for test in tests
                for found in [by_place.get((train, test))]
            ),
        )
        for train in trains
    ]
    notes = (
        "Rows: trained on; columns: tested on; in brackets the number of emotions that both have labels for: "
        "compare cells of a column, and only where these agree."
    )
    about = [
        (
            each.train,
            each.test,
            str(each.items),
            ", ".join(each.classes),
            ", ".join(f"{name} ({count})" for name, count in each.left_out.items()),
            str(each.unknown),
            "most likely of them" if each.among else "as predicted, others wrong",
        )
        for each in cells
    ]
    mapped = []
    for test in tests:
        found = next(each for each in cells if each.test == test)
        for emotion, names in found.label_map.items():
            mapped.append(
                (test, emotion, ", ".join(f"{name or 'no label'} ({n})" for name, n in names.items()))
            )
    return [
        Table(figure, ("trained on", *tests), rows, notes),
        Table(
            "Cells",
            ("trained on", "tested on", "items", "emotions", "left out", "not used", "prediction"),
            about,
            "Left out: labels that the training corpus has none of. Not used: labels that are none of the"
            " eight, or no prediction.",
        ),
        Table("Labels as read", ("corpus", "emotion", "its own labels"), mapped),
    ]


def _emotions(where: str, text: str) -> list[Emotion] | None:
    names = text.replace(",", " ").replace(";", " ").split()
    if not names:
        return None
    parsed = [parse_emotion(name) for name in names]
    known = [emotion for emotion in parsed if emotion]
    if len(known) < len(names):
        raise PredictionsError(where, found=f"emotions {text!r}", expected=f"some of {', '.join(EMOTIONS)}")
    return known
