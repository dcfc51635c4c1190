"""`emojudge judge tune` as a function: ask, tune, measure, and say whether the judge is worth its while."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emojudge.emotions import ATTRIBUTES, EMOTIONS, Emotion
from emojudge.errors import JudgeError
from emojudge.judge import figures as f
from emojudge.judge.answer import Reading
from emojudge.judge.gate import Gate
from emojudge.judge.judging import Judge
from emojudge.judge.outcomes import Emotions, Outcomes, Ratings, step_counts
from emojudge.judge.settings import Settings
from emojudge.judge.tune import GATES, Candidate, Tuning, check_division, tune
from emojudge.records import Attributes, Evidence


@dataclass(frozen=True)
class Labelled:
    """An utterance with what annotators heard; for tuning emotions or attributes, that one is needed."""

    evidence: Evidence
    emotion: Emotion | None = None
    attributes: Attributes | None = None
    group: str | None = None  # its speaker, so that no speaker is tuned and reported on


@dataclass(frozen=True)
class Report:
    """Settings as tuning leaves them (off where refinement does not help), and everything in words."""

    settings: Settings
    lines: tuple[str, ...]


def tune_judges(
    items: Sequence[Labelled],
    judges: Sequence[Judge],
    *,
    gates: Sequence[Gate] = GATES,
    folds: int = 5,
    resamples: int = 2000,
    seed: int = 0,
    progress: Callable[[int], None] = lambda more: None,
) -> Report:
    """Ask each judge about all utterances, tune, and report.

    Args:
        items: labelled utterances that neither the recogniser was trained on nor the examples are drawn from.
        judges: what to choose from: models, prompts, sources of confidence. All of one task and label set.
            Several prompts of one model measure what wording does.
        gates, folds, resamples, seed: see `tune`.
        progress: called with 1 for every answer.

    Raises:
        JudgeError: too few labelled utterances or groups of them, or several tasks, before anything is asked;
            an utterance that is an example.
    """
    tasks = {judge.prompt.task for judge in judges}
    if len(tasks) != 1:
        raise JudgeError("tuning", found=f"the tasks {sorted(tasks)}", expected="one task")
    emotional = tasks == {"emotion"}
    used = [item for item in items if (item.emotion if emotional else item.attributes) is not None]
    if emotional:
        used = [item for item in used if item.emotion in judges[0].settings.labels]
    else:
        used = [item for item in used if item.evidence.attributes is not None]
    evidences = [item.evidence for item in used]
    groups = [item.group or "" for item in used] if all(item.group for item in used) and used else None
    indices = np.array([EMOTIONS.index(item.emotion) for item in used if item.emotion], dtype=int)
    truth = indices if emotional else np.zeros((len(used), len(ATTRIBUTES)))
    check_division(truth, groups, folds, seed)
    candidates, costs = [], []
    for judge in judges:
        readings = _asked(judge, evidences, progress)
        candidates.append(Candidate(judge.provider.name, judge.prompt.name, _outcomes(judge, used, readings)))
        costs.append(_dollars(judge, evidences))
    best = tune(
        evidences, candidates, groups=groups, gates=gates, folds=folds, resamples=resamples, seed=seed
    )
    alone = [
        tune(evidences, [c], groups=groups, gates=gates, folds=folds, resamples=resamples, seed=seed)
        if len(candidates) > 1
        else best
        for c in candidates
    ]
    return _report(used, judges, candidates, costs, best, alone, groups is not None, folds)


def _asked(judge: Judge, evidences: Sequence[Evidence], progress: Callable[[int], None]) -> list[Reading]:
    readings = []
    for reading in judge.readings(evidences):
        readings.append(reading)
        progress(1)
    return readings


def _outcomes(judge: Judge, used: Sequence[Labelled], readings: Sequence[Reading]) -> Outcomes:
    evidences, source = [item.evidence for item in used], judge.settings.decision.confidence
    if judge.prompt.task == "attributes":
        attributes = [item.attributes for item in used if item.attributes is not None]
        return Ratings(evidences, attributes, readings, source, judge.settings.scales)
    emotions = [item.emotion for item in used if item.emotion is not None]
    told = judge.question.tells_threshold
    return Emotions(evidences, emotions, readings, source, judge.settings.labels, told)


def _dollars(judge: Judge, evidences: Sequence[Evidence]) -> float | None:
    """What 1,000 utterances of this judge cost, by the ledger's answers; None where no price is known."""
    costs = [judge.cost_of(evidence) for evidence in evidences]
    known = [cost for cost in costs if cost is not None]
    return 1000 * sum(known) / len(known) if known else None


def _report(
    used: Sequence[Labelled],
    judges: Sequence[Judge],
    candidates: Sequence[Candidate],
    costs: Sequence[float | None],
    best: Tuning,
    alone: Sequence[Tuning],
    grouped: bool,
    folds: int,
) -> Report:
    judge, outcomes = judges[best.choice.candidate], candidates[best.choice.candidate].outcomes
    figures: dict[str, Any] = {
        "items": len(used),
        "folds": folds,
        "grouped": grouped,
        "metric": "macro_f1" if isinstance(outcomes, Emotions) else "ccc",
        "difference": f.as_dict(best.difference),
        "chosen_by_fold": list(best.chosen),
        "candidates": [
            {
                "provider": c.provider,
                "prompt": c.prompt,
                "confidence": j.settings.decision.confidence,
                **f.answers(c.outcomes.readings, [item.evidence for item in used]),
                "difference": f.as_dict(t.difference),
                "dollars_per_1000": cost,
            }
            for c, j, t, cost in zip(candidates, judges, alone, costs, strict=True)
        ],
        "sent_share": float(np.mean(best.sent)),
    }
    if isinstance(outcomes, Emotions):
        figures["changes"] = f.changes(outcomes.truth, outcomes.before, best.after, best.sent)
        figures["conflict"] = f.conflict_slice(outcomes, best.after, best.sent)
    elif isinstance(outcomes, Ratings):
        figures["attributes"] = f.by_attribute(outcomes, best.after)
        figures["answered_steps"] = step_counts(outcomes)
    settings = judge.settings.model_copy(
        update={
            "provider": judge.provider.name,
            "template": judge.prompt.own_text,
            "gate": best.choice.gate,
            "decision": best.choice.decision or judge.settings.decision,
            "judge": "on" if best.helps else "off",
            "why_off": "" if best.helps else _why_off(best, len(used)),
            "figures": figures,
        }
    )
    return Report(settings, tuple(_lines(figures, best, costs[best.choice.candidate], settings)))


def _why_off(best: Tuning, items: int) -> str:
    d = best.difference
    return (
        f"refinement changed the metric by {d.gain:+.4f} ({d.low:+.4f} … {d.high:+.4f}) on {items} utterances"
    )


def _lines(figures: dict[str, Any], best: Tuning, cost: float | None, settings: Settings) -> list[str]:
    name = "macro-F1" if figures["metric"] == "macro_f1" else "mean CCC"
    groups = "by speaker" if figures["grouped"] else "by utterance"
    lines = [
        f"{figures['items']} labelled utterances; nested cross-validation, {figures['folds']} folds "
        f"{groups}: nothing below was tuned on what it is reported on",
        f.in_words(name, figures["difference"]),
    ]
    if "changes" in figures:
        lines.append(f.changes_in_words(figures["changes"]))
    for attribute, values in figures.get("attributes", {}).items():
        lines.append(f"CCC of {attribute}  {values['before']:.3f} → {values['after']:.3f}")
    lines += _conflict_lines(figures)
    lines += _wording_lines(name, figures["candidates"])
    dollars = "unknown" if cost is None else f"${cost:.2f} where all are sent"
    if cost is not None and best.sent.any():
        dollars += f", ${cost * figures['sent_share']:.2f} with the gate"
    lines.append(f"cost per 1,000 utterances: {dollars}")
    lines.append(f"chosen by fold: {'; '.join(best.chosen)}")
    lines.append(f"chosen on all: {settings.prompt}, {best.choice.name}")
    if best.helps:
        lines.append("refinement helps beyond noise: judge on")
    elif best.difference.high < 0:
        lines.append("refinement does harm: judge off")
    else:
        lines.append("refinement does not help beyond noise: judge off")
    return lines


def _conflict_lines(figures: dict[str, Any]) -> list[str]:
    if "conflict" not in figures:
        return []
    conflict = figures["conflict"]
    if conflict is None:
        return ["voice and words: no utterance in which they are known to conflict"]
    sides = ", ".join(f"{side} {count}" for side, count in conflict["sides"].items())
    return [
        f"where voice and words conflict: macro-F1  {conflict['macro_f1_before']:.3f} → "
        f"{conflict['macro_f1_after']:.3f}; {f.changes_in_words(conflict)}",
        f"with whom the answers side there: {sides}",
    ]


def _wording_lines(name: str, candidates: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        f"{c['provider']}, prompt {c['prompt']}, {c['confidence']}: {name} {c['difference']['after']:.3f} "
        f"({c['difference']['gain']:+.3f}); of {c['answers']} answers {c['agreeing']} agree, {c['na']} NA, "
        f"{c['faulty']} faulty"
        for c in candidates
    ]
    after = [c["difference"]["after"] for c in candidates]
    if len(after) > 1:
        deviation = np.std(after, ddof=1)
        spread = f"{name} from {min(after):.3f} to {max(after):.3f}, standard deviation {deviation:.3f}"
        lines.append(f"spread over {len(after)} wordings or models, each tuned alone: {spread}")
    return lines
