"""The convolution by which the wav2vec 2.0 family knows positions, in Fourier space: quicker on a processor.

Its kernel is 128 frames wide. A product for each frequency does what took one for each place in the kernel,
forward and back; torch's transforms have their own gradients.
"""

import functools
from typing import Any

import torch
from torch import Tensor, nn

from emojudge.models.precision import on_processor

ROUND = 32  # lengths of transforms are multiples of it, which have small factors alone


def quicken_positions(encoder: nn.Module) -> None:
    """Have an encoder's convolution of positions be done in Fourier space where that can be."""
    positions: Any = encoder.encoder
    conv = getattr(getattr(positions, "pos_conv_embed", None), "conv", None)
    if isinstance(conv, nn.Conv1d):
        # Not another class: taking weight normalisation off looks for the one beneath its own.
        told: Any = conv
        told._conv_forward = functools.partial(convolve, padding=int(conv.padding[0]), groups=conv.groups)


def convolve(inputs: Tensor, weight: Tensor, bias: Tensor | None, *, padding: int, groups: int) -> Tensor:
    """`(batch, channels in, frames)` to `(batch, channels out, frames + 2 * padding - kernel + 1)`.

    As `torch.nn.functional.conv1d` but for rounding, which is what is called elsewhere than on a processor
    in float32, and while a model is compiled or exported.
    """
    if not on_processor(inputs):
        return nn.functional.conv1d(inputs, weight, bias, padding=padding, groups=groups)
    batch, channels, frames = inputs.shape
    kernel, out = weight.shape[2], weight.shape[0]
    length = -(-(frames + kernel - 1) // ROUND) * ROUND  # enough for no end to come round to the start
    signal = torch.fft.rfft(inputs, length).view(batch, groups, channels // groups, -1)
    filters = torch.fft.rfft(weight.flip(2), length).view(groups, out // groups, channels // groups, -1)
    products = signal.permute(1, 3, 0, 2) @ filters.permute(0, 3, 2, 1)  # by group and frequency
    full = torch.fft.irfft(products.permute(2, 0, 3, 1).reshape(batch, out, -1), length)
    first = kernel - 1 - padding
    output: Tensor = full[:, :, first : first + frames + 2 * padding - kernel + 1]
    return output if bias is None else output + bias[:, None]
