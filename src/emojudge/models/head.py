"""The classification or regression head over pooled features."""

import torch
from torch import Tensor, nn


class ResidualHead(nn.Module):
    """Linear → LayerNorm → ReLU → dropout blocks, residual between the hidden ones, and a linear output.

    `(batch, features)` to `(batch, outputs)`. The first block maps `features` to `width` and so has no
    residual; the others add their input. Source: EmoJudge section 2.1.

    `standardise` gives every feature mean 0 and deviation 1 first: pooled deviations are small beside pooled
    means, and a head on a frozen backbone has nothing else that could bring them to one size.
    """

    MIN_DEVIATION = 1e-3  # a feature that hardly varies is not blown up
    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int, outputs: int, width: int = 1024, layers: int = 2, dropout: float = 0.5):
        super().__init__()
        self.features = features
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.input_dropout = nn.Dropout(dropout)
        sizes = [features] + [width] * layers
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(size, width), nn.LayerNorm(width), nn.ReLU(), nn.Dropout(dropout))
            for size in sizes[:-1]
        )
        self.output = nn.Linear(sizes[-1], outputs)

    def standardise(self, mean: Tensor, deviation: Tensor) -> None:
        """Take these figures `(features,)` of the training split as 0 and 1."""
        self.mean.copy_(mean)
        self.deviation.copy_(deviation.clamp(min=self.MIN_DEVIATION))

    def forward(self, pooled: Tensor) -> Tensor:
        hidden = self.input_dropout((pooled - self.mean) / self.deviation)
        for index, block in enumerate(self.blocks):
            hidden = block(hidden) if index == 0 else hidden + block(hidden)
        logits: Tensor = self.output(hidden)
        return logits


class DenseHead(nn.Module):
    """Linear → tanh → linear, `(batch, features)` to `(batch, outputs)`: of audEERING's published model.

    Source: Wagner et al. 2023, "Dawn of the transformer era in speech emotion recognition".
    """

    def __init__(self, features: int, width: int, outputs: int) -> None:
        super().__init__()
        self.features = features
        self.dense = nn.Linear(features, width)
        self.output = nn.Linear(width, outputs)

    def forward(self, pooled: Tensor) -> Tensor:
        logits: Tensor = self.output(self.dense(pooled).tanh())
        return logits


def with_auxiliary(logits: Tensor, features: Tensor, auxiliary: nn.Module | None) -> Tensor:
    """Logits `(batch, outputs)`, followed by what auxiliary heads, if any, make of the features."""
    return logits if auxiliary is None else torch.cat([logits, auxiliary(features)], dim=1)
