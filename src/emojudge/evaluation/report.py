"""An evaluation as a whole: figures, comparisons and slices, and as JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from emojudge.errors import PredictionsError
from emojudge.evaluation.aligned import System, Truth
from emojudge.evaluation.compare import Comparison, compare
from emojudge.evaluation.evaluate import Evaluation, Settings, evaluate
from emojudge.evaluation.significance import detectable
from emojudge.evaluation.slices import Slice, available, slices


@dataclass(frozen=True)
class Evaluated:
    """What `emojudge evaluate` found."""

    labels: str  # where they are from
    settings: Settings
    evaluation: Evaluation
    comparisons: Sequence[Comparison]
    slices: Sequence[Slice]
    label_map: dict[str, dict[str, int]]  # emotion → the labels' own names for it

    @property
    def drawn(self) -> str:
        """What intervals are made of, in words."""
        found = self.evaluation
        of = f"{found.items or found.rated} items" if found.groups is None else f"{found.groups} speakers"
        how = "BCa" if self.settings.method == "bca" else "percentile"
        return f"{self.settings.level:.0%} {how} intervals of {self.settings.resamples:,} resamples of {of}"

    @property
    def power(self) -> str | None:
        """How small a difference could be seen at all, in words; None without emotions."""
        f1 = self.evaluation.emotions.get("macro-F1")
        if f1 is None:
            return None
        # Of two independent systems; those that are much alike, as before and after a judge, differ by less.
        apart = detectable(f1.error * math.sqrt(2), self.settings.level)
        return (
            f"At this n, a difference in macro-F1 under {apart:.3f} between systems that err independently"
            " cannot be seen (80 % power)."
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON; no NaN in it."""
        made = {
            "labels": self.labels,
            "settings": asdict(self.settings),
            **asdict(self.evaluation),
            "drawn": self.drawn,
            "power": self.power,
            "comparisons": [asdict(each) | {"gain": each.difference.gain} for each in self.comparisons],
            "slices": [asdict(each) for each in self.slices],
            "label_map": self.label_map,
        }
        cleaned: dict[str, Any] = _without_nan(made)
        return cleaned


def evaluated(
    truth: Truth,
    system: System,
    others: Sequence[System],
    columns: Sequence[str],
    settings: Settings,
    labels: str,
    corpus: str | None = None,
) -> Evaluated:
    """Everything about a system that its labels, other systems and columns can tell.

    Raises:
        PredictionsError: see `evaluate`, `compare` and `slices`.
    """
    wanted: list[str] = []
    for column in columns:
        wanted += available(truth, system) if column == "all" else [column]
    evaluation = evaluate(truth, system, settings)
    if wanted and not evaluation.items:
        raise PredictionsError(system.name, found="no emotions", expected="emotions, for slices")
    return Evaluated(
        labels=f"{labels} ({corpus})" if corpus else labels,
        settings=settings,
        evaluation=evaluation,
        comparisons=compare(truth, system, others, settings),
        slices=slices(truth, system, list(dict.fromkeys(wanted)), settings),
        label_map=truth.label_map(),
    )


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
