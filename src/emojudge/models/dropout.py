"""Dropout whose random numbers cost less on a processor than torch's own."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LEVELS = 1 << 16  # of a random number in a mask


def keep_mask(shape: Sequence[int], dropout: float) -> tuple[Tensor, float]:
    """Where to keep, at random, and the share that is kept on average, which is `1 - dropout` to 1/65536.

    Four numbers of 16 bits come from each draw of torch's generator for processors.

    >>> mask, share = keep_mask((1000, 1000), 0.1)
    >>> round(share, 3), round(mask.float().mean().item(), 2)
    (0.9, 0.9)
    """
    kept = round((1.0 - dropout) * LEVELS)
    if kept == 0:
        return torch.zeros(torch.Size(shape), dtype=torch.bool), 0.0
    count = torch.Size(shape).numel()
    words = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(1 << 63), None)
    return (words.view(torch.int16)[:count] <= kept - LEVELS // 2 - 1).view(torch.Size(shape)), kept / LEVELS


class QuickDropout(nn.Dropout):
    """`nn.Dropout`, but for which numbers are drawn: on a processor, by `keep_mask`."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Any shape."""
        if not (self.training and 0.0 < self.p < 1.0 and hidden.device.type == "cpu"):
            return super().forward(hidden)
        mask, share = keep_mask(hidden.shape, self.p)
        return hidden * mask / share if share else hidden * mask


def quick_dropout(model: nn.Module) -> None:
    """Have every dropout of a model be the quick one."""
    for module in model.modules():
        if type(module) is nn.Dropout:
            module.__class__ = QuickDropout
