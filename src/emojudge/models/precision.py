"""What stays in float32 where the rest of a model is computed in fewer digits."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor


def in_float32(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function of tensors that takes and computes float32, also where autocast is on.

    Elsewhere it is called as it is, so that an exported model shows nothing of it.
    """

    @functools.wraps(function)
    def called(*tensors: Tensor) -> Tensor:
        device = tensors[0].device.type
        if not torch.is_autocast_enabled(device):
            return function(*tensors)
        with torch.autocast(device, enabled=False):
            return function(*(tensor.float() for tensor in tensors))

    return called
