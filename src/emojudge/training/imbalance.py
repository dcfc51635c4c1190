"""What is done about emotions that are rarer than others, in the data, in the loss and in the logits."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from emojudge.emotions import EMOTIONS, Emotion

Counts = NDArray[np.float64]


def emotion_counts(emotions: NDArray[np.float32], repeats: NDArray[np.float64]) -> Counts:
    """How often an epoch sees each emotion, `(8,)`; a soft label counts by its shares."""
    counts: Counts = (emotions * repeats[:, None]).sum(axis=0)
    return counts


def class_weights(
    emotions: NDArray[np.float32], repeats: NDArray[np.float64], power: float
) -> NDArray[np.float32]:
    """(N / (classes · count))^power per emotion `(8,)`, counted as an epoch sees them; 0 for absent ones.

    Source: EmoJudge section 2.1 (power 1); a softer power: MEDUSA 2025.
    """
    counts = emotion_counts(emotions, repeats)
    present = counts > 0
    weights = np.zeros(len(EMOTIONS), dtype=np.float32)
    weights[present] = (counts.sum() / (present.sum() * counts[present])) ** power
    return weights


def vector_scaling(counts: Counts, gamma: float, tau: float) -> tuple[Counts, Counts]:
    """What the VS loss multiplies logits by and adds to them, both `(8,)`: (n / n_max)^γ and τ log π.

    The loss is taken of the logits so changed, prediction is by the logits as they are: rare emotions must
    win by a margin in training. γ = 0, τ = 1 is the logit-adjusted loss. An emotion that never comes counts
    as one item. Source: Kini et al. 2021, equation 1; Menon et al. 2021, equation 10.
    """
    known = np.maximum(counts, 1.0)
    factors: Counts = (known / known.max()) ** gamma
    margins: Counts = tau * np.log(known / known.sum())
    return factors, margins


def prior_shift(counts: Counts, prior: Mapping[Emotion, float] | None, power: float, tau: float) -> Counts:
    """What turns trained logits into logits under a known prior, `(8,)`: log π_known minus log π_learnt.

    The model has learnt π^(1 - power - τ): class weights n^-power and the VS loss's τ have taken their part
    of the training split's prior π already, and what is taken twice would tilt to the rare emotions.

    Args:
        prior: a share of each emotion, which need not sum to 1; None: all the same.
    """
    known = np.maximum(counts, 1.0)
    learnt = (1.0 - power - tau) * np.log(known / known.sum())
    shares = np.array([1.0 if prior is None else prior[emotion] for emotion in EMOTIONS])
    shift: Counts = np.log(shares / shares.sum()) - learnt
    shift -= shift.mean()  # a constant changes no probability
    return shift


def balance(
    emotions: NDArray[np.float32], repeats: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Repeats `(items,)` by which each emotion comes as often as the rarest does, and the items' emotions.

    Items without one foremost emotion, -1, do not come at all.
    """
    ordered = np.sort(emotions, axis=1)
    labels = np.where(ordered[:, -1] > ordered[:, -2], emotions.argmax(axis=1), -1)
    totals = np.array([repeats[labels == label].sum() for label in range(len(EMOTIONS))])
    rarest = min((total for total in totals if total), default=0.0)
    balanced = np.zeros(len(repeats))
    decided = labels >= 0
    balanced[decided] = repeats[decided] * rarest / totals[labels[decided]]
    return balanced, labels


def drop_majority_votes(
    emotions: NDArray[np.float32], majority: int, share: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Distributions `(items, 8)`, some of them without their votes for the split's commonest emotion.

    Items are drawn with the probability `share`, those that nobody gave another emotion excepted; the other
    votes then sum to what all did. Source: the annotation dropout of SAILER, 2025.
    """
    rest = emotions.copy()
    rest[:, majority] = 0.0
    left = rest.sum(axis=1)
    dropped = (generator.random(len(emotions)) < share) & (left > 0)
    thinned = emotions.copy()
    thinned[dropped] = rest[dropped] * (emotions.sum(axis=1) / np.where(left > 0, left, 1.0))[dropped, None]
    return thinned
