"""Robustness: does the recogniser say the same of recordings that were changed?"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from emojudge.audio.decode import SAMPLE_RATE, decode
from emojudge.evaluation.stress.check import Check, Heard, uar_and_uap
from emojudge.evaluation.stress.conditions import Condition, Samples
from emojudge.evaluation.stress.listener import Listener
from emojudge.records import Utterance


def robustness(
    name: str,
    some: Sequence[Utterance],
    truth: NDArray[np.int64],
    tried: Sequence[Condition],
    seed: int,
    listener: Listener,
) -> list[Check]:
    """Whether predictions stay under each condition, in so many recordings, and how much worse they get.

    Args:
        name: the corpus.
        some: recordings, the first of a corpus.
        truth: emotions of the corpus's recordings, indices in EMOTIONS.
        tried: the conditions.
        seed: of their chances.
        listener: hears the recordings as they are, and changed.
    """
    labels = truth[: len(some)]
    classes = sorted(set(truth.tolist()))
    samples: list[Samples] = []
    plain = listener.hear(f"{name}, {len(some)} of them", some)
    checks: list[Check] = []
    for condition in tried:
        parts = [plain]
        changes = [condition.base, condition.change] if condition.base else [condition.change]
        for number, change in enumerate(changes):
            what = (
                f"{name}, {condition.test}: {condition.name}{' (base)' if len(changes) - number > 1 else ''}"
            )
            if not listener.known(what, some) and not samples:
                samples = [decode(u.audio).samples for u in some if u.audio]
            parts.append(_heard_changed(what, some, samples, change, seed, listener))
        before, after = parts[-2], parts[-1]
        checks += _compared(name, condition, before, after, labels, classes)
    return checks


def _heard_changed(
    what: str,
    utterances: Sequence[Utterance],
    samples: Sequence[Samples],
    change: Callable[..., Samples],
    seed: int,
    listener: Listener,
) -> Heard:
    if listener.known(what, utterances):
        return listener.hear(what, utterances)
    speakers = [u.speaker for u in utterances]
    with tempfile.TemporaryDirectory(prefix="emojudge-stress-") as folder:
        changed = []
        for index, utterance in enumerate(utterances):
            random = np.random.default_rng([seed, index])
            others = [s for s, speaker in zip(samples, speakers, strict=True) if speaker != speakers[index]]
            path = Path(folder) / f"{index}.wav"
            made = change(samples[index], random, others or list(samples))
            soundfile.write(path, made, SAMPLE_RATE, subtype="FLOAT")
            changed.append(utterance.model_copy(update={"audio": path}))
        return listener.hear(what, changed)


def _compared(
    name: str,
    condition: Condition,
    before: Heard,
    after: Heard,
    truth: NDArray[np.int64],
    classes: Sequence[int],
) -> list[Check]:
    one, other = before.emotions(classes), after.emotions(classes)
    known = np.flatnonzero(one >= 0)

    def check(figure: str, value: float, limit: float) -> Check:
        label = f"{condition.name}: {figure}"
        return Check(
            "robustness",
            condition.test,
            label,
            name,
            value,
            limit,
            "at least",
            len(known),
            condition.published,
        )

    checks = [check("unchanged predictions", float(np.mean(one[known] == other[known])), condition.unchanged)]
    if condition.drop is not None:
        uars = [uar_and_uap(truth[known], predicted[known], classes) for predicted in (one, other)]
        checks.append(check("change of UAR", uars[1][0] - uars[0][0], -condition.drop))
        checks.append(check("change of UAP", uars[1][1] - uars[0][1], -condition.drop))
    return checks
