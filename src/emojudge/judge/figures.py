"""What refinement did, in figures and words: before and after, what changed, where voice and words differ."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import ATTRIBUTES, EMOTIONS, Emotion
from emojudge.evaluation.metrics import ccc
from emojudge.evaluation.significance import Difference, mcnemar, paired_bootstrap
from emojudge.judge.answer import Reading
from emojudge.judge.outcomes import Emotions, Ratings
from emojudge.records import Evidence, Verdict


def of_verdicts(
    verdicts: Sequence[Verdict], labels: Sequence[Emotion], groups: Sequence[str] | None = None
) -> dict[str, Any]:
    """Figures of verdicts on utterances with labels: macro-F1 before and after, and what changed."""
    truth, before, after = (
        np.array([EMOTIONS.index(emotion) for emotion in column])
        for column in (labels, [v.before for v in verdicts], [v.emotion for v in verdicts])
    )
    present = tuple(emotion for emotion in EMOTIONS if emotion in set(labels))
    figure = Emotions([], [], [], "stated", present).figure
    difference = paired_bootstrap(figure, truth, before, after, groups=groups)
    sent = np.array([verdict.status != "passed" for verdict in verdicts])
    return {"macro_f1": as_dict(difference), **changes(truth, before, after, sent)}


def changes(
    truth: NDArray[np.int64], before: NDArray[np.int64], after: NDArray[np.int64], sent: NDArray[np.bool_]
) -> dict[str, Any]:
    """How many utterances were sent and changed, and how the changes turned out."""
    test = mcnemar(truth, before, after)
    changed = int(np.sum(before != after))
    return {
        "items": len(truth),
        "sent": int(sent.sum()),
        "changed": changed,
        "wrong_to_right": test.wrong_to_right,
        "right_to_wrong": test.right_to_wrong,
        "wrong_to_wrong": changed - test.wrong_to_right - test.right_to_wrong,
        "mcnemar_p": test.p,
        "accuracy_before": float(np.mean(before == truth)),
        "accuracy_after": float(np.mean(after == truth)),
    }


def conflict_slice(
    outcomes: Emotions, after: NDArray[np.int64], sent: NDArray[np.bool_]
) -> dict[str, Any] | None:
    """The same where voice and words name different emotions, and with which of them the model sided."""
    rows = np.array([i for i, evidence in enumerate(outcomes.evidences) if evidence.conflict], dtype=int)
    if not len(rows):
        return None
    truth, before = outcomes.truth[rows], outcomes.before[rows]
    return {
        **changes(truth, before, after[rows], sent[rows]),
        "macro_f1_before": outcomes.figure(truth, before),
        "macro_f1_after": outcomes.figure(truth, after[rows]),
        "sides": sides([outcomes.evidences[i] for i in rows], [outcomes.readings[i] for i in rows]),
    }


def sides(evidences: Sequence[Evidence], readings: Sequence[Reading]) -> dict[str, int]:
    """With whom the answers side where voice and words conflict."""
    counts = {"voice": 0, "words": 0, "neither": 0, "NA": 0}
    for evidence, reading in zip(evidences, readings, strict=True):
        if reading.emotion is None:
            counts["NA"] += 1
        elif reading.emotion == _strongest(evidence.audio_scores):
            counts["voice"] += 1
        elif reading.emotion == _strongest(evidence.text_scores):
            counts["words"] += 1
        else:
            counts["neither"] += 1
    return counts


def answers(readings: Sequence[Reading], evidences: Sequence[Evidence]) -> dict[str, int]:
    """What the model answered, whatever became of it."""
    pairs = list(zip(readings, evidences, strict=True))
    usable = [(r, e) for r, e in pairs if r.fault is None]
    na = sum(r.emotion is None and not any((r.words or {}).values()) for r, _ in usable)
    agree = sum(r.emotion is not None and r.emotion == e.emotion for r, e in usable)
    return {"answers": len(pairs), "faulty": len(pairs) - len(usable), "na": na, "agreeing": agree}


def by_attribute(ratings: Ratings, after: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    """CCC of each attribute before and after."""
    return {
        name: {
            "before": ccc(ratings.truth[:, i], ratings.before[:, i]),
            "after": ccc(ratings.truth[:, i], after[:, i]),
        }
        for i, name in enumerate(ATTRIBUTES)
    }


def as_dict(difference: Difference) -> dict[str, float]:
    """A difference for JSON."""
    return asdict(difference) | {"gain": difference.gain}


def in_words(name: str, figures: dict[str, Any]) -> str:
    """One line of a difference.

    >>> figures = {"before": 0.3, "after": 0.32, "gain": 0.02, "low": -0.01, "high": 0.05, "p": 0.2}
    >>> in_words("macro-F1", figures)
    'macro-F1  0.300 → 0.320  (+0.020, 95 % interval -0.010 … +0.050, p = 0.2)'
    """
    return (
        f"{name}  {figures['before']:.3f} → {figures['after']:.3f}  ({figures['gain']:+.3f}, 95 % interval "
        f"{figures['low']:+.3f} … {figures['high']:+.3f}, p = {figures['p']:.2g})"
    )


def changes_in_words(figures: dict[str, Any]) -> str:
    """One line of what was sent and changed."""
    items = max(1, figures["items"])
    return (
        f"sent {figures['sent']} of {figures['items']} ({figures['sent'] / items:.0%}), changed "
        f"{figures['changed']} ({figures['changed'] / items:.1%}): "
        f"wrong → right {figures['wrong_to_right']}, "
        f"right → wrong {figures['right_to_wrong']}, wrong → wrong {figures['wrong_to_wrong']}; "
        f"McNemar p = {figures['mcnemar_p']:.2g}"
    )


def _strongest(scores: dict[Emotion, float] | None) -> Emotion | None:
    if not scores:
        return None
    return max(scores.items(), key=lambda item: item[1])[0]
