"""The classification or regression head over pooled features."""

from torch import Tensor, nn


class ResidualHead(nn.Module):
    """Linear → LayerNorm → ReLU → dropout blocks, residual between the hidden ones, and a linear output.

    `(batch, features)` to `(batch, outputs)`. The first block maps `features` to `width` and so has no
    residual; the others add their input. Source: EmoJudge section 2.1.
    """

    def __init__(self, features: int, outputs: int, width: int = 1024, layers: int = 2, dropout: float = 0.5):
        super().__init__()
        self.features = features
        self.input_dropout = nn.Dropout(dropout)
        sizes = [features] + [width] * layers
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(size, width), nn.LayerNorm(width), nn.ReLU(), nn.Dropout(dropout))
            for size in sizes[:-1]
        )
        self.output = nn.Linear(sizes[-1], outputs)

    def forward(self, pooled: Tensor) -> Tensor:
        hidden = self.input_dropout(pooled)
        for index, block in enumerate(self.blocks):
            hidden = block(hidden) if index == 0 else hidden + block(hidden)
        logits: Tensor = self.output(hidden)
        return logits
