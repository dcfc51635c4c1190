"""Where a system is worse than elsewhere: figures by speaker, gender, duration or any other column."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.corpora.reading import some
from emojudge.emotions import EMOTIONS
from emojudge.errors import PredictionsError
from emojudge.evaluation import figures
from emojudge.evaluation.aligned import NONE, System, Truth
from emojudge.evaluation.evaluate import Settings, classes_of
from emojudge.evaluation.resampling import group_sums, percentile_interval, resampled
from emojudge.evaluation.significance import Interval, holm
from emojudge.evaluation.votes import agreement

MOST = 60  # values of a column; more are no slices but a list of items
LEAST = 8  # items of a slice, under which its figure says nothing
FEW = 5  # speakers of a slice, under which its items are drawn: one speaker says nothing of others
BINS = 4  # of a column of many numbers, with about equally many items each

Values = Sequence[str | float | None]


@dataclass(frozen=True)
class Slice:
    """The items with one value of a column, against all others.

    Intervals are over speakers; of a slice with fewer than FEW of them over its items: how sure the figure is
    for these speakers, not for others.
    """

    column: str
    value: str
    items: int
    speakers: int | None
    figure: Interval  # UAR over the emotions that occur in the slice
    accuracy: float
    gap: Interval  # figure here minus figure over the other items
    p: float  # two-sided, of the gap
    corrected_p: float  # by Holm over all slices


def slices(
    truth: Truth, system: System, columns: Sequence[str], settings: Settings | None = None
) -> list[Slice]:
    """Figures by the values of columns, the worst gap first.

    Args:
        truth: labels; their table's columns can be sliced by.
        system: predictions; so can theirs.
        columns: names of columns of either table, or of DERIVED.
        settings: of the intervals.

    Raises:
        PredictionsError: a column that neither table has, or with as many values as items.
    """
    settings = settings or Settings()
    wanted = [EMOTIONS.index(emotion) for emotion in classes_of(truth, settings)]
    rows = np.flatnonzero(np.isin(truth.emotion, wanted) & (system.emotion != NONE))
    found: list[Slice] = []
    for column in columns:
        values = _named(column, _values(column, truth, system), rows)
        for value in sorted({v for v in values if v}, key=_in_order):
            inside = np.array([v == value for v in values])
            if inside.sum() >= LEAST and (~inside).sum() >= LEAST:
                found.append(_slice(column, value, inside, rows, truth, system, settings))
    corrected = holm([each.p for each in found])
    made = [replace(each, corrected_p=p) for each, p in zip(found, corrected, strict=True)]
    return sorted(made, key=lambda each: each.gap.value)


def available(truth: Truth, system: System) -> list[str]:
    """The derived columns, and the usual ones, that have at least two values here."""
    rows = np.flatnonzero((truth.emotion != NONE) & (system.emotion != NONE))
    usual = [*DERIVED, "gender", "sex", "language", "intensity", "split"]
    names = []
    for column in usual:
        try:
            values = _named(column, _values(column, truth, system), rows)
        except PredictionsError:
            continue
        if len({value for value in values if value}) > 1:
            names.append(column)
    return names


def _slice(
    column: str,
    value: str,
    inside: NDArray[np.bool_],
    rows: NDArray[np.int64],
    truth: Truth,
    system: System,
    settings: Settings,
) -> Slice:
    figure = figures.uar(len(EMOTIONS))
    terms = figure.terms(truth.emotion[rows], system.emotion[rows])
    drawn_by = truth.groups_of(rows)
    own_groups = [g for g, i in zip(drawn_by or [], inside, strict=False) if i]
    speakers = None if drawn_by is None else len(set(own_groups))
    if speakers is not None and speakers < FEW:
        drawn_by = None
    # One draw gives both sides, so that a speaker who is on both is on both in every resample.
    both = group_sums(np.hstack([terms * inside[:, None], terms * ~inside[:, None]]), drawn_by)
    width = terms.shape[1]
    drawn = resampled(both, settings.resamples, settings.seed)
    # A resample without anybody of the slice, or of the others, says nothing about the gap.
    drawn = drawn[(drawn[:, :width].sum(axis=1) > 0) & (drawn[:, width:].sum(axis=1) > 0)]
    here, elsewhere = figure.value(drawn[:, :width]), figure.value(drawn[:, width:])
    total = both.sum(axis=0)
    own, other = float(figure.value(total[:width])), float(figure.value(total[width:]))
    gaps = here - elsewhere
    count = int(inside.sum()) if drawn_by is None or speakers is None else speakers
    below, above = np.sum(gaps <= 0) + 1, np.sum(gaps >= 0) + 1
    p = min(1.0, 2 * min(below, above) / (len(gaps) + 1))
    level = settings.level
    return Slice(
        column,
        value,
        int(inside.sum()),
        speakers,
        Interval(own, *percentile_interval(here, own, count, level), level, float(here.std())),
        float(np.mean(truth.emotion[rows][inside] == system.emotion[rows][inside])),
        Interval(
            own - other, *percentile_interval(gaps, own - other, count, level), level, float(gaps.std())
        ),
        float(p),
        float(p),
    )


# -------------------------------------------------------------------------------------------------- columns


def _values(column: str, truth: Truth, system: System) -> Values:
    if column in DERIVED:
        return DERIVED[column](truth, system)
    for cells in (truth.cells, system.cells):
        lower = column.strip().lower()
        values: list[str | float | None] = []
        for row in cells:
            value = next((v for name, v in row.items() if name.strip().lower() == lower), None)
            values.append(None if value is None or isinstance(value, dict | list) else str(value).strip())
        if any(values):
            return values
    names = dict.fromkeys(name for cells in (truth.cells, system.cells) for row in cells for name in row)
    raise PredictionsError(
        f"--slice {column}", found="no such column", expected=f"one of {', '.join([*DERIVED, *names])}"
    )


def _named(column: str, values: Values, rows: NDArray[np.int64]) -> list[str]:
    """Each row's value as text; numbers that are many become bins of about as many items each."""
    chosen = [values[i] for i in rows]
    texts = ["" if v is None or v == "" else str(v) for v in chosen]
    distinct = {text for text in texts if text}
    if len(distinct) <= BINS * 2 or not all(map(_is_number, distinct)):
        if len(distinct) > MOST and column != "speaker":
            raise PredictionsError(
                f"--slice {column}",
                found=f"{len(distinct)} values: {some(distinct)}",
                expected=f"a column with at most {MOST}, or with numbers",
            )
        return texts
    numbers = np.array([float(text) if text else np.nan for text in texts])
    known = numbers[~np.isnan(numbers)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)))
    index = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    names = [f"{edges[i]:g} to {edges[i + 1]:g}" for i in range(len(edges) - 1)]
    return ["" if np.isnan(n) else names[i] for n, i in zip(numbers, index, strict=True)]


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _in_order(value: str) -> tuple[float, str]:
    first = value.split()[0]
    return (float(first) if _is_number(first) else np.inf, value)


def _speaker(truth: Truth, system: System) -> Values:
    return list(truth.speakers)


def _duration(truth: Truth, system: System) -> Values:
    return [_cell(row, "seconds") for row in _merged(truth, system)]


def _words(truth: Truth, system: System) -> Values:
    texts = [r.prediction.transcript if r and r.prediction else None for r in system.rows]
    return [float(len(text.text.split())) if text else None for text in texts]


def _source(truth: Truth, system: System) -> Values:
    return [
        (r.prediction.transcript.source if r.prediction.transcript else "no transcript")
        if r and r.prediction
        else None
        for r in system.rows
    ]


def _agreement(truth: Truth, system: System) -> Values:
    known = truth.votes.sum(axis=1) > 0
    shares = np.full(len(known), np.nan)
    shares[known] = agreement(truth.votes[known])
    return [None if np.isnan(share) else float(round(share, 3)) for share in shares]


def _conflict(truth: Truth, system: System) -> Values:
    made: list[str | float | None] = []
    for row in system.rows:
        audio, text = (row.prediction.audio, row.prediction.text) if row and row.prediction else (None, None)
        if audio is None or text is None:
            made.append(None)
        else:
            voice, words = (max(o.scores, key=o.scores.__getitem__) for o in (audio, text))
            made.append(f"voice and words {'agree' if voice == words else 'differ'}")
    return made


def _verdict(truth: Truth, system: System) -> Values:
    made: list[str | float | None] = []
    for row in system.cells:
        nested = row.get("verdict")
        made.append(str(nested["status"]) if isinstance(nested, dict) else _cell(row, "verdict_status"))
    return made


def _merged(truth: Truth, system: System) -> list[Mapping[str, Any]]:
    return [{**mine, **theirs} for mine, theirs in zip(system.cells, truth.cells, strict=True)]


def _cell(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return None if value in (None, "") else str(value)


DERIVED: Mapping[str, Callable[[Truth, System], Values]] = {
    "speaker": _speaker,
    "duration": _duration,  # seconds
    "words": _words,  # of the transcript
    "transcript_source": _source,
    "agreement": _agreement,  # the share of annotators behind the label
    "conflict": _conflict,  # whether voice and words name different emotions
    "verdict": _verdict,  # what a judge did
}
