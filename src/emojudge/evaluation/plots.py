"""An evaluation's pictures: each says its numbers too, and none needs colour to be told apart."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import ATTRIBUTES, EMOTIONS, SCALE_MAX, SCALE_MIN
from emojudge.errors import MissingExtraError
from emojudge.evaluation.aligned import System, Truth
from emojudge.evaluation.corrections import Corrections, gain_by_threshold, risk_coverage
from emojudge.evaluation.report import Evaluated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#555555"  # Okabe & Ito's, told apart by the colour-blind
MOST_SLICES = 24


def plots(found: Evaluated, truth: Truth, system: System, judged: Corrections | None) -> "dict[str, Figure]":
    """The pictures that there are data for, by name.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    e = found.evaluation
    made: dict[str, Figure] = {}
    if e.items:
        made["confusion"] = _drawn(lambda ax: _confusion(ax, np.array(e.confusion)), (7, 5.5))
        made["emotions"] = _drawn(lambda ax: _emotions(ax, found), (7, 0.5 * len(e.per_class) + 1.3))
    if e.reliability:
        made["reliability"] = _drawn(lambda ax: _reliability(ax, found), (5.5, 5))
    if found.slices:
        count = min(MOST_SLICES, len(found.slices))
        made["slices"] = _drawn(lambda ax: _slices(ax, found), (8, 0.32 * count + 1.3))
    if e.rated:
        made["attributes"] = _attributes(found, truth, system)
    if judged is not None and np.any(~np.isnan(judged.confidence)):
        made["risk_coverage"] = _drawn(lambda ax: _risk(ax, judged), (5.5, 4))
        made["gain_by_threshold"] = _drawn(lambda ax: _gain(ax, judged), (5.5, 4))
    return made


def new_figure(size: tuple[float, float], **options: Any) -> "tuple[Figure, Any]":
    """A figure apart from pyplot's global state, and its axes."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("pictures of a report", "report") from error
    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=size, layout="constrained")
        return figure, figure.subplots(**options)


def _drawn(draw: "Callable[[Axes], None]", size: tuple[float, float]) -> "Figure":
    figure, axes = new_figure(size)
    draw(axes)
    return figure


def _confusion(ax: "Axes", counts: NDArray[np.int64]) -> None:
    rows = np.flatnonzero(counts.sum(axis=1))
    shares = counts[rows] / counts[rows].sum(axis=1, keepdims=True)
    ax.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for i, row in enumerate(rows):
        for j in range(len(EMOTIONS)):
            colour = "black" if shares[i, j] > 0.55 else "white"
            ax.text(
                j,
                i,
                f"{shares[i, j]:.0%}\n{counts[row, j]}",
                ha="center",
                va="center",
                color=colour,
                fontsize=7,
            )
    ax.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=30, ha="right")
    ax.set_yticks(range(len(rows)), [EMOTIONS[row] for row in rows])
    ax.set_xlabel("predicted")
    ax.set_ylabel("labelled")
    ax.set_title("Confusion: share of each labelled emotion, and count")


def _emotions(ax: "Axes", found: Evaluated) -> None:
    for i, each in enumerate(found.evaluation.per_class):
        for offset, value, colour, marker, label in (
            (-0.22, each.precision, BLUE, "o", "precision"),
            (0.0, each.recall, ORANGE, "s", "recall"),
            (0.22, each.f1, GREY, "D", "F1"),
        ):
            ax.plot([value.low, value.high], [i + offset] * 2, color=colour, linewidth=2)
            ax.plot(value.value, i + offset, marker, color=colour, label=label if i == 0 else None)
    names = [f"{each.emotion} ({each.labelled})" for each in found.evaluation.per_class]
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, 1)
    ax.grid(axis="x", alpha=0.3)
    ax.legend(loc="lower right", frameon=True)
    ax.set_title(f"By emotion, with {found.settings.level:.0%} intervals")


def _reliability(ax: "Axes", found: Evaluated) -> None:
    bins = [each for each in found.evaluation.reliability if each.items]
    most = max(each.items for each in bins)
    for each in bins:
        width = each.high - each.low
        ax.bar(each.low, each.items / most * 0.25, width, align="edge", color="#dddddd", edgecolor="white")
    ax.plot([0, 1], [0, 1], "--", color=GREY, label="scores that mean what they say")
    ax.plot([b.confidence for b in bins], [b.accuracy for b in bins], "o-", color=BLUE, label="found")
    ece = found.evaluation.calibration["ECE"]
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="score of the predicted emotion", ylabel="share that is right")
    ax.legend(loc="upper left")
    ax.set_title(f"Reliability: ECE {ece.value:.3f} [{ece.low:.3f}, {ece.high:.3f}]; bars: how many")


def _slices(ax: "Axes", found: Evaluated) -> None:
    shown = found.slices[:MOST_SLICES]
    for i, each in enumerate(shown):
        sure = each.corrected_p < 1 - found.settings.level
        ax.plot([each.gap.low, each.gap.high], [i, i], color=ORANGE if sure else GREY, linewidth=2)
        ax.plot(each.gap.value, i, "D" if sure else "o", color=ORANGE if sure else GREY)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(range(len(shown)), [f"{each.column} = {each.value} ({each.items})" for each in shown])
    ax.invert_yaxis()
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel("UAR here minus UAR elsewhere")
    ax.set_title("Slices, the worst first (diamonds: beyond chance after Holm)")


def _attributes(found: Evaluated, truth: Truth, system: System) -> "Figure":
    figure, axes = new_figure((9, 3.3), ncols=len(ATTRIBUTES))
    known = ~np.isnan(truth.attributes).any(axis=1) & ~np.isnan(system.attributes).any(axis=1)
    for column, (name, ax) in enumerate(zip(ATTRIBUTES, axes, strict=True)):
        t, p = truth.attributes[known, column], system.attributes[known, column]
        ax.hexbin(t, p, gridsize=24, cmap="cividis_r", mincnt=1, extent=(SCALE_MIN, SCALE_MAX) * 2)
        ax.plot([SCALE_MIN, SCALE_MAX], [SCALE_MIN, SCALE_MAX], "--", color=ORANGE)
        value = found.evaluation.attributes[name]["CCC"]
        ax.set(
            xlabel="labelled",
            ylabel="predicted" if column == 0 else "",
            xlim=(1, 7),
            ylim=(1, 7),
            aspect="equal",
        )
        ax.set_title(f"{name}: CCC {value.value:.3f}\n[{value.low:.3f}, {value.high:.3f}]")
    return figure


def _risk(ax: "Axes", judged: Corrections) -> None:
    coverage, risk = risk_coverage(judged)
    ax.plot(coverage, risk, "o-", color=BLUE, markersize=3)
    base = float(np.mean(judged.before != judged.truth))
    ax.axhline(base, linestyle="--", color=GREY)
    ax.text(0.02, base, "recogniser alone", va="bottom", color=GREY)
    ax.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="share of the judge's answers taken, surest first",
        ylabel="share wrong",
    )
    ax.set_title("Risk and coverage of the judge")


def _gain(ax: "Axes", judged: Corrections) -> None:
    thresholds, gains = gain_by_threshold(judged)
    ax.plot(thresholds, gains, "o-", color=BLUE)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set(xlabel="confidence from which an answer is taken", ylabel="gain in macro-F1")
    ax.set_title("Gain against threshold, on these very items")


def encoded(figure: "Figure", layout: str) -> bytes:
    """A figure as an svg, png or pdf file's bytes; the same for the same figure."""
    import io

    from matplotlib import rc_context

    memory = io.BytesIO()
    metadata: Mapping[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(layout, {})
    with rc_context({"svg.hashsalt": "emojudge", "svg.fonttype": "none"}):
        figure.savefig(memory, format=layout, dpi=160, metadata=dict(metadata))
    return memory.getvalue()
