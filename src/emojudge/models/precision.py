"""Where a model is computed in float32: what always is, and where the quick ways of a processor fit."""

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


def on_processor(inputs: Tensor) -> bool:
    """Whether this is float32 on a processor, and no model is being compiled or exported (loops unrolled)."""
    return (
        inputs.device.type == "cpu"
        and inputs.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )
