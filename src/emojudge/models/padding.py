"""Padded batches: which positions are real."""

import torch
from torch import Tensor


def length_mask(lengths: Tensor, longest: int) -> Tensor:
    """True at real positions: lengths `(batch,)` to `(batch, longest)`.

    >>> length_mask(torch.tensor([1, 3]), 3).int().tolist()
    [[1, 0, 0], [1, 1, 1]]
    """
    return torch.arange(longest, device=lengths.device)[None, :] < lengths[:, None]
