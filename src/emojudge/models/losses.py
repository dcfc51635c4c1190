"""Weighted focal loss on soft or hard targets, and the concordance loss."""

import torch
from torch import Tensor, nn

MIN_WEIGHT = 1e-6  # what a sum of weights is divided by at least: without a known label the loss is 0


def focal_loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None, gamma: float = 2.0) -> Tensor:
    """Class-weighted focal loss, averaged over the items by their weight; 0 where no label is known.

    Args:
        logits: `(batch, classes)`.
        targets: `(batch, classes)`, each row a distribution; one-hot for hard labels.
        weights: `(classes,)`, such as N / (classes · count); None for equal weights.
        gamma: 0 gives the weighted cross-entropy.

    Dividing by the sum of the weights, not by the number of items, makes the loss of a batch that is cut in
    micro-batches depend on the cut; the trainer therefore sums and divides itself, see `focal_terms`.
    Source: Lin et al. 2017, equation 5; EmoJudge section 2.1.
    """
    terms, scale = focal_terms(logits, targets, weights, gamma)
    return terms.sum() / scale.sum().clamp(min=MIN_WEIGHT)


def focal_terms(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor | None = None,
    gamma: float = 2.0,
    choices: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Each item's weighted loss and its weight, both `(batch,)`.

    Args:
        choices: `(batch, classes)`, True for the classes that the item's annotators could choose. The others
            take no part in its softmax: a corpus without surprise does not teach that nothing is surprise.
    """
    if choices is not None:
        logits = logits.masked_fill(~choices, -1e4)
    log_p = logits.log_softmax(dim=1)
    # expm1 keeps the digits of 1 - p near p = 1; below the smallest number a power under 1 has no slope.
    doubt = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
    focus = doubt**gamma if gamma else torch.ones_like(log_p)
    alpha = targets if weights is None else targets * weights
    return -(alpha * focus * log_p).sum(dim=1), alpha.sum(dim=1)


def auxiliary_terms(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropies `(columns,)`, summed over the items in which each is known.

    Args:
        logits, targets: `(batch, columns)`; targets are shares on 0..1, NaN where not known.
    """
    known = ~targets.isnan()
    terms = nn.functional.binary_cross_entropy_with_logits(
        logits, targets.where(known, torch.zeros_like(targets)), reduction="none"
    )
    return terms.where(known, torch.zeros_like(terms)).sum(dim=0)


class ConcordanceLoss(nn.Module):
    """Sum over the attributes of 1 - CCC, from `(batch, attributes)` predictions and targets.

    CCC = 2 cov / (var_x + var_y + (mean_x - mean_y)²) with population moments. It is 0, with a gradient,
    for constant predictions, and 1 where prediction and target are constant and equal: `epsilon` is added
    to both sides of the fraction. Source: Lin 1989; EmoJudge section 2.1.

    >>> ConcordanceLoss()(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [2.0]])).item()
    0.0
    """

    def __init__(self, epsilon: float = 1e-8) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, predictions: Tensor, targets: Tensor) -> Tensor:
        return (1.0 - concordance(predictions, targets, self.epsilon)).sum()


def concordance(predictions: Tensor, targets: Tensor, epsilon: float = 1e-8) -> Tensor:
    """Concordance correlation coefficient of each column: two `(items, attributes)` to `(attributes,)`."""
    mean_p, mean_t = predictions.mean(dim=0), targets.mean(dim=0)
    centred_p, centred_t = predictions - mean_p, targets - mean_t
    covariance = (centred_p * centred_t).mean(dim=0)
    spread = centred_p.square().mean(dim=0) + centred_t.square().mean(dim=0) + (mean_p - mean_t).square()
    return (2.0 * covariance + epsilon) / (spread + epsilon)
