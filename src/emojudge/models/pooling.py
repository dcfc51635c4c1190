"""Attentive statistics pooling over the true frames of each item of a padded batch."""

import torch
from torch import Tensor, nn

from emojudge.models.precision import in_float32

MIN_VARIANCE = 1e-5  # under the square root, whose slope at 0 is infinite


@in_float32
def weighted_statistics(hidden: Tensor, weights: Tensor) -> Tensor:
    """Mean and deviation `(batch, 2 * features)` of `(batch, frames, features)` by `(batch, frames)`.

    As matrix products: a sum over frames alone takes an engine for processors ten times as long.
    """
    rows = weights[:, None, :]
    mean = rows @ hidden
    # Around the mean rather than E[x²] - E[x]²: the difference of two large numbers loses digits.
    variance = rows @ (hidden - mean).square()
    return torch.cat([mean, variance.clamp(min=MIN_VARIANCE).sqrt()], dim=2).squeeze(1)


class LayerWeights(nn.Module):
    """Hidden states of several layers side by side to their sum by learnt weights, which start the same.

    `(batch, frames, layers * features)` to `(batch, frames, features)`; the weights are a softmax.
    Source: Peters et al. 2018, equation 1, without its scale; Yang et al. 2021 (SUPERB).
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(layers))

    def forward(self, hidden: Tensor) -> Tensor:
        by_layer = hidden.reshape(*hidden.shape[:2], len(self.logits), -1)
        summed: Tensor = (self.logits.softmax(dim=0)[:, None] * by_layer).sum(dim=2)
        return summed


class AttentiveStatisticsPooling(nn.Module):
    """Mean and standard deviation of the frames, weighted by learned attention.

    `(batch, frames, features)` and a mask `(batch, frames)` to `(batch, 2 * features)`, without a loop over
    items: padded frames get no attention, so padding cannot change an item's statistics.

    Source: Okabe et al. 2018, equations 3 to 6; EmoJudge section 2.1, whose L2 penalty on the attention
    parameters is `penalty()`.

    >>> pooling = AttentiveStatisticsPooling(4)
    >>> pooling(torch.zeros(2, 5, 4), torch.ones(2, 5, dtype=torch.bool)).shape
    torch.Size([2, 8])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, features)
        # Zeros: it starts as the plain mean and deviation, and learns only such attention as pays.
        self.attention = nn.Parameter(torch.zeros(features))

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        logits = torch.tanh(self.hidden(hidden)) @ self.attention
        return weighted_statistics(hidden, logits.masked_fill(~mask, -torch.inf).softmax(dim=1))

    def penalty(self) -> Tensor:
        """Sum of squares of the attention parameters, a scalar."""
        return self.hidden.weight.square().sum() + self.attention.square().sum()
