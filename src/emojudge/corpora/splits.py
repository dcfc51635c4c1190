"""Divide utterances: folds and hold-outs that share no speaker, and samples with as many of each emotion.

Every division is drawn by hashing names together with the seed. It is therefore the same on every platform
and Python, and depends neither on the order of the utterances nor on how they were read.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from emojudge.emotions import EMOTIONS
from emojudge.errors import CorpusError
from emojudge.records import Utterance

DEV2, NO_SPEAKER = "dev2", "no_speaker"  # splits that are made here


def position(name: str, seed: int = 0) -> float:
    """A place in [0, 1) for a name under a seed: uniform over names, the same for ever.

    >>> position("emodb:03") == position("emodb:03"), position("emodb:03") == position("emodb:03", seed=1)
    (True, False)
    """
    return (_hash(name, seed) >> 11) / 2**53  # the bits a float holds, so that none rounds up to 1


def speaker_folds(
    utterances: Iterable[Utterance], folds: int, seed: int
) -> list[tuple[list[Utterance], list[Utterance]]]:
    """Train and test part of each fold; no speaker is in both, and every utterance is tested once.

    The folds differ by at most one in their number of speakers. With as many folds as speakers this is
    leave-one-speaker-out. Utterances keep the order they came in.

    Raises:
        CorpusError: an utterance without a speaker, or a number of folds below 2 or above that of the
            speakers.
    """
    items = list(utterances)
    speakers = _drawn_speakers(items, seed)
    if not 2 <= folds <= len(speakers):
        raise CorpusError(
            "speaker_folds", found=f"{folds} folds", expected=f"2 to {len(speakers)}, the number of speakers"
        )
    fold_of = {speaker: rank % folds for rank, speaker in enumerate(speakers)}
    return [
        (
            [u for u in items if fold_of[u.speaker or ""] != fold],
            [u for u in items if fold_of[u.speaker or ""] == fold],
        )
        for fold in range(folds)
    ]


def holdout(
    utterances: Iterable[Utterance], fractions: Mapping[str, float], seed: int
) -> dict[str, list[Utterance]]:
    """Parts by name: for each fraction that part of the speakers (contributors), and the rest as `train`.

    No speaker is in two parts. A part has the nearest whole number of speakers, one at least. Utterances keep
    the order they came in; splits that a corpus has of its own are not regarded.

    Args:
        utterances: all of a corpus.
        fractions: what to hold out, such as `{"dev": 0.1, "test": 0.1}`; each over 0, together under 1.
        seed: another seed draws other speakers.

    Raises:
        CorpusError: an utterance without a speaker, fractions out of range, or too few speakers for them.
    """
    items = list(utterances)
    total = math.fsum(fractions.values())
    if "train" in fractions or not all(value > 0 for value in fractions.values()) or not total < 1:
        raise CorpusError(
            "holdout",
            found=f"the fractions {dict(fractions)}",
            expected="fractions over 0 and together under 1",
            advice="Leave 'train' out: it is the rest.",
        )
    speakers = _drawn_speakers(items, seed)
    part_of: dict[str, str] = {}
    taken = 0
    for name, fraction in sorted(fractions.items()):
        count = max(1, round(fraction * len(speakers)))
        part_of |= dict.fromkeys(speakers[taken : taken + count], name)
        taken += count
    if taken >= len(speakers):
        raise CorpusError(
            "holdout",
            found=f"{len(speakers)} speakers",
            expected=f"over {taken}, to hold out {dict(fractions)}",
        )
    parts: dict[str, list[Utterance]] = {name: [] for name in ("train", *fractions)}
    for item in items:
        parts[part_of.get(item.speaker or "", "train")].append(item)
    return parts


def balanced(
    utterances: Iterable[Utterance], per_class: int | Literal["half_rarest"], seed: int
) -> tuple[list[Utterance], list[Utterance]]:
    """A sample with as many utterances of each emotion, and what is left without it.

    `half_rarest` takes half as many of each as the rarest emotion has, rounded down. On the Development split
    of MSP-Podcast this makes the Dev-2 of the paper, 8 × 295, and leaves the rest for validation. Emotions
    that do not occur at all are passed over; utterances without an emotion are left. Speakers are not
    regarded. Both parts keep the order the utterances came in; their ids must be distinct.

    Raises:
        CorpusError: an emotion has too few utterances, or no utterance has an emotion.
    """
    items = list(utterances)
    counts = Counter(u.emotion for u in items if u.emotion is not None)
    rarest = min(counts.values(), default=0)
    size = rarest // 2 if per_class == "half_rarest" else per_class
    if not 1 <= size <= rarest:
        listed = {emotion: counts[emotion] for emotion in EMOTIONS if emotion in counts}
        raise CorpusError(
            "balanced",
            found=f"{listed or 'no emotion'}",
            expected=f"enough of each emotion to take {per_class!r}",
        )
    chosen: set[str] = set()
    for emotion in counts:
        ids = [u.id for u in items if u.emotion == emotion]
        chosen.update(_drawn(ids, seed)[:size])
    return [u for u in items if u.id in chosen], [u for u in items if u.id not in chosen]


def with_dev2(
    utterances: Iterable[Utterance],
    seed: int,
    *,
    source: str = "dev",
    per_class: int | Literal["half_rarest"] = "half_rarest",
) -> list[Utterance]:
    """All utterances, with a balanced part of the split `source` moved to the split `dev2` (see `balanced`).

    Raises:
        CorpusError: no such split, one called dev2 already, or too few of an emotion in it.
    """
    items = list(utterances)
    splits = {u.split or "" for u in items}
    if source not in splits or DEV2 in splits:
        raise CorpusError(
            "Dev-2",
            found=f"the splits {', '.join(sorted(splits))}",
            expected=f"{source!r}, and no {DEV2!r} yet",
        )
    chosen, _ = balanced([u for u in items if u.split == source], per_class, seed)
    moved = {u.id for u in chosen}
    return [u.model_copy(update={"split": DEV2}) if u.id in moved else u for u in items]


def as_folds(utterances: Iterable[Utterance], folds: int, seed: int) -> list[Utterance]:
    """All utterances, in the splits fold1, fold2 and so on, by speaker (see `speaker_folds`).

    Those without a speaker, who may be anybody, are in the split `no_speaker`.

    Raises:
        CorpusError: a number of folds below 2 or above that of the speakers.
    """
    items = list(utterances)
    parts = speaker_folds([u for u in items if u.speaker is not None], folds, seed)
    fold_of = {u.speaker: f"fold{number}" for number, (_, test) in enumerate(parts, start=1) for u in test}
    return [u.model_copy(update={"split": fold_of.get(u.speaker, NO_SPEAKER)}) for u in items]


def _hash(name: str, seed: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0{name}".encode()).digest()[:8], "big")


def _drawn(names: Iterable[str], seed: int) -> list[str]:
    """Names in the order that the seed draws them."""
    return sorted(names, key=lambda name: (_hash(name, seed), name))


def _drawn_speakers(utterances: list[Utterance], seed: int) -> list[str]:
    unknown = [u.id for u in utterances if u.speaker is None]
    if unknown:
        raise CorpusError(
            unknown[0],
            found=f"no speaker, nor in {len(unknown) - 1} more",
            expected="a speaker for every utterance, so that none is on both sides",
        )
    return _drawn({u.speaker for u in utterances if u.speaker is not None}, seed)
