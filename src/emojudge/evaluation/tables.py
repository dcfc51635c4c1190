"""An evaluation as tables of text: for a terminal, for Markdown, for a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from emojudge.emotions import EMOTIONS
from emojudge.evaluation.report import Evaluated
from emojudge.evaluation.significance import Interval


@dataclass(frozen=True)
class Table:
    """A title, column names, rows, and what a reader should know of them."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def tables(found: Evaluated) -> list[Table]:
    """All tables of an evaluation that have rows, in the order in which they are read."""
    made = [_overall(found), _comparisons(found), _per_class(found), _confusion(found), _slices(found)]
    return [table for table in made if table.rows]


def interval(value: Interval, signed: bool = False) -> str:
    """A figure with its interval.

    >>> interval(Interval(0.5, 0.45, 0.56, 0.95, 0.03))
    '0.500 [0.450, 0.560]'
    """
    sign = "+" if signed else ""
    return f"{value.value:{sign}.3f} [{value.low:{sign}.3f}, {value.high:{sign}.3f}]"


def probability(p: float) -> str:
    """A p-value that does not promise more digits than resamples give.

    >>> probability(0.00001), probability(0.0316)
    ('< 0.001', '0.032')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _overall(found: Evaluated) -> Table:
    e = found.evaluation
    rows = [(name, interval(value)) for name, value in e.emotions.items()]
    rows += [(name, interval(value)) for name, value in e.votes.items()]
    rows += [(name, interval(value)) for name, value in e.calibration.items()]
    if e.adaptive_ece is not None:
        rows.append(("adaptive ECE", f"{e.adaptive_ece:.3f}"))
    for attribute, each in e.attributes.items():
        rows += [(f"{attribute} {name}", interval(value)) for name, value in each.items()]
    over = f"{e.items} utterances, {len(e.classes)} emotions: {', '.join(e.classes)}" if e.items else ""
    rated = f"{e.rated} utterances with attributes" if e.rated else ""
    speech = "; ".join(part for part in (over, rated) if part)
    return Table(
        e.system,
        ("figure", "value [interval]"),
        rows,
        f"{speech}. {found.drawn}. {found.power or ''}".strip(),
    )


def _comparisons(found: Evaluated) -> Table:
    rows = []
    for each in found.comparisons:
        d = each.difference
        gain = Interval(d.gain, d.low, d.high, d.level, d.error)
        mcnemar = "" if each.mcnemar is None else probability(each.mcnemar.mid_p)
        changed = (
            "" if each.mcnemar is None else f"{each.mcnemar.wrong_to_right}/{each.mcnemar.right_to_wrong}"
        )
        rows.append(
            (
                each.against,
                each.figure,
                f"{d.before:.3f} → {d.after:.3f}",
                interval(gain, signed=True),
                probability(each.permutation_p),
                probability(each.corrected_p),
                changed,
                mcnemar,
                f"{each.detectable:.3f}",
            )
        )
    return Table(
        "Against other systems",
        ("against", "figure", "theirs → ours", "gain [interval]", "p", "p (Holm)", "+/-", "McNemar", "least"),
        rows,
        "p: two-sided, systems exchanged at random, by speaker where speakers are known. Holm: corrected for"
        " all rows. +/-: utterances that only ours, only theirs has right; McNemar's mid-p takes them as"
        " independent. least: a true difference under this would be missed more often than once in five such"
        " samples.",
    )


def _per_class(found: Evaluated) -> Table:
    rows = [
        (
            each.emotion,
            str(each.labelled),
            str(each.predicted),
            interval(each.precision),
            interval(each.recall),
            interval(each.f1),
        )
        for each in found.evaluation.per_class
    ]
    return Table("By emotion", ("emotion", "labelled", "predicted", "precision", "recall", "F1"), rows)


def _confusion(found: Evaluated) -> Table:
    counts = found.evaluation.confusion
    rows = [
        (emotion, *(str(count) for count in row))
        for emotion, row in zip(EMOTIONS, counts, strict=False)
        if any(row)
    ]
    return Table("Confusion", ("labelled", *EMOTIONS), rows, "Rows: labelled; columns: predicted.")


def _slices(found: Evaluated) -> Table:
    rows = [
        (
            each.column,
            each.value,
            str(each.items),
            "" if each.speakers is None else str(each.speakers),
            interval(each.figure),
            f"{each.accuracy:.3f}",
            interval(each.gap, signed=True),
            probability(each.corrected_p),
        )
        for each in found.slices
    ]
    return Table(
        "Slices, the worst first",
        ("column", "value", "items", "speakers", "UAR", "accuracy", "gap to the rest", "p (Holm)"),
        rows,
        "UAR over the emotions that occur in the slice. Of fewer than five speakers, utterances are drawn:"
        " such intervals are about these speakers, not about others like them.",
    )
