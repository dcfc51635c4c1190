"""All figures of one system on labelled items, each with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import ATTRIBUTES, EMOTIONS, Emotion
from emojudge.errors import PredictionsError
from emojudge.evaluation import figures
from emojudge.evaluation.aligned import NONE, Note, System, Truth
from emojudge.evaluation.figures import Figure
from emojudge.evaluation.metrics import confusion
from emojudge.evaluation.reliability import BINS, Bin, adaptive_calibration_error, reliability
from emojudge.evaluation.significance import RESAMPLES, Interval, Method, bootstrap_all

N = len(EMOTIONS)


@dataclass(frozen=True)
class Settings:
    """How intervals are made; the same for all figures of an evaluation."""

    resamples: int = RESAMPLES
    level: float = 0.95
    seed: int = 0
    method: Method = "percentile"
    classes: tuple[Emotion, ...] | None = None  # None: the emotions that occur among the labels


@dataclass(frozen=True)
class ClassFigures:
    """One emotion's figures."""

    emotion: Emotion
    labelled: int
    predicted: int
    precision: Interval
    recall: Interval
    f1: Interval


@dataclass(frozen=True)
class Evaluation:
    """One system's figures. What the tables have nothing for is empty."""

    system: str
    items: int  # with an emotion and a prediction
    groups: int | None  # speakers, items of unknown ones apart; None: items were drawn
    classes: tuple[Emotion, ...]
    emotions: Mapping[str, Interval]  # macro-F1, accuracy, UAR
    per_class: Sequence[ClassFigures]
    confusion: Sequence[Sequence[int]]  # (8, 8) in EMOTIONS' order, rows the truth
    votes: Mapping[str, Interval]
    calibration: Mapping[str, Interval]
    adaptive_ece: float | None
    reliability: Sequence[Bin]
    attributes: Mapping[str, Mapping[str, Interval]]  # by attribute, and "mean"
    rated: int  # items with attributes on both sides
    notes: Sequence[Note]


def evaluate(truth: Truth, system: System, settings: Settings | None = None) -> Evaluation:
    """Figures of a system.

    Raises:
        PredictionsError: no item has both a label and a prediction of the same kind.
    """
    settings = settings or Settings()
    rows = np.flatnonzero((truth.emotion != NONE) & (system.emotion != NONE))
    classes = classes_of(truth, settings)
    wanted = [EMOTIONS.index(emotion) for emotion in classes]
    rows = rows[np.isin(truth.emotion[rows], wanted)]
    rated = np.flatnonzero(~np.isnan(truth.attributes).any(axis=1) & ~np.isnan(system.attributes).any(axis=1))
    if not len(rows) and not len(rated):
        raise PredictionsError(
            system.name,
            found="no utterance with a label and a prediction of the same kind",
            expected="emotions on both sides, or attributes on both sides",
        )
    t, p = truth.emotion[rows], system.emotion[rows]
    scored = rows[~np.isnan(system.scores[rows]).any(axis=1)]
    groups = truth.groups_of(rows if len(rows) else rated)
    return Evaluation(
        system=system.name,
        items=len(rows),
        groups=None if groups is None else len(set(groups)),
        classes=classes,
        emotions=intervals(emotion_figures(wanted), t, p, truth, rows, settings),
        per_class=_per_class(t, p, truth, rows, wanted, settings),
        confusion=confusion(t, p, N).tolist() if len(rows) else [],
        votes=_votes(truth, system, settings),
        calibration=intervals(
            {"ECE": figures.calibration_error(), "Brier": figures.BRIER},
            *(truth.emotion[scored], system.scores[scored], truth, scored, settings),
        ),
        adaptive_ece=adaptive_calibration_error(truth.emotion[scored], system.scores[scored])
        if len(scored)
        else None,
        reliability=reliability(truth.emotion[scored], system.scores[scored], BINS) if len(scored) else [],
        attributes=_attributes(truth, system, rated, settings),
        rated=len(rated),
        notes=[*system.notes, *_notes(truth, system, rows, classes)],
    )


def classes_of(truth: Truth, settings: Settings) -> tuple[Emotion, ...]:
    """The label set, fixed before anything is drawn."""
    if settings.classes is not None:
        return settings.classes
    return tuple(emotion for index, emotion in enumerate(EMOTIONS) if np.any(truth.emotion == index))


def emotion_figures(wanted: Sequence[int]) -> dict[str, Figure]:
    """The figures of emotions, over these classes."""
    return {"macro-F1": figures.macro_f1(N, wanted), "accuracy": figures.ACCURACY, "UAR": figures.uar(N)}


def intervals(
    made: Mapping[str, Figure],
    t: NDArray[np.generic],
    p: NDArray[np.generic],
    truth: Truth,
    rows: NDArray[np.int64],
    settings: Settings,
) -> dict[str, Interval]:
    """Each figure of the items in these rows, from the same resamples of their speakers; none of no items.

    Args:
        made: figures by name.
        t: labels `(items, ...)`.
        p: predictions `(items, ...)`.
        truth: whose speakers are drawn.
        rows: the items' places in it.
        settings: of the intervals.
    """
    if not len(rows):
        return {}
    found = bootstrap_all(
        list(made.values()),
        t,
        p,
        groups=truth.groups_of(rows),
        resamples=settings.resamples,
        level=settings.level,
        seed=settings.seed,
        method=settings.method,
    )
    return dict(zip(made, found, strict=True))


def _per_class(
    t: NDArray[np.int64],
    p: NDArray[np.int64],
    truth: Truth,
    rows: NDArray[np.int64],
    wanted: Sequence[int],
    settings: Settings,
) -> list[ClassFigures]:
    if not len(rows):
        return []
    kinds = (figures.precision, figures.recall, figures.f1)
    made = {f"{i} {kind.__name__}": kind(N, i) for i in wanted for kind in kinds}
    found = intervals(made, t, p, truth, rows, settings)
    return [
        ClassFigures(
            EMOTIONS[i],
            int(np.sum(t == i)),
            int(np.sum(p == i)),
            *(found[f"{i} {kind.__name__}"] for kind in kinds),
        )
        for i in wanted
    ]


def _votes(truth: Truth, system: System, settings: Settings) -> dict[str, Interval]:
    rows = np.flatnonzero((truth.votes.sum(axis=1) > 0) & (system.emotion != NONE))
    chosen = {figure.name: figure for figure in (figures.ANY_ANNOTATOR, figures.VOTE_SHARE)}
    found = intervals(chosen, truth.votes[rows], system.emotion[rows], truth, rows, settings)
    rows = rows[~np.isnan(system.scores[rows]).any(axis=1)]
    apart = {figure.name: figure for figure in (figures.KL, figures.JS)}
    return found | intervals(apart, truth.votes[rows], system.scores[rows], truth, rows, settings)


def _attributes(
    truth: Truth, system: System, rows: NDArray[np.int64], settings: Settings
) -> dict[str, dict[str, Interval]]:
    if not len(rows):
        return {}
    t, p = truth.attributes[rows], system.attributes[rows]
    found: dict[str, dict[str, Interval]] = {}
    for column, name in enumerate(ATTRIBUTES):
        made = {"CCC": figures.ccc(), "Pearson": figures.pearson(), "MAE": figures.MAE}
        found[name] = intervals(made, t[:, column], p[:, column], truth, rows, settings)
    mean = {"CCC": figures.mean_ccc(len(ATTRIBUTES))}
    return found | {"mean": intervals(mean, t, p, truth, rows, settings)}


def _notes(truth: Truth, system: System, rows: NDArray[np.int64], classes: tuple[Emotion, ...]) -> list[Note]:
    unknown: dict[str, int] = {}
    for named, emotion in zip(truth.named, truth.emotion, strict=True):
        if named and emotion == NONE:
            unknown[named] = unknown.get(named, 0) + 1
    listed = ", ".join(
        f"{name!r} ({count})" for name, count in sorted(unknown.items(), key=lambda i: -i[1])[:8]
    )
    outside = int(np.sum(~np.isin(system.emotion[rows], [EMOTIONS.index(e) for e in classes])))
    beside = (truth.emotion != NONE) & ~np.isin(truth.emotion, [EMOTIONS.index(e) for e in classes])
    notes = [
        Note("labels that are none of the eight emotions, left out", sum(unknown.values()), listed),
        Note("labels outside the classes that were asked for, left out", int(beside.sum())),
        Note(f"predictions outside the {len(classes)} classes, counted as wrong", outside),
    ]
    if not any(truth.speakers):
        notes.append(Note("speaker is known: items are drawn alone, and intervals may be too narrow", 0))
    return [note for note in notes if note.count or "speaker is" in note.text]
