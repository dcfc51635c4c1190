"""The convolutions of the wav2vec 2.0 family as matrix products, item by item: the quick way on a processor.

A window of `kernel` samples every `stride` is a product with the weights. Of a signal whose channels lie side
by side, the windows' parts of `stride` samples are a matrix as it lies in memory, so that nothing is copied;
the next layer, its normalisation and its activation find their input in the cache and in the order they want.
"""

from typing import Any

import torch
from torch import Tensor, nn

from emojudge.models.precision import on_processor


class _ItemByItem:
    """`forward` of a `FeatureEncoder` of transformers, without gradients, on a processor in float32."""

    conv_layers: nn.ModuleList

    def forward(self, waveforms: Tensor) -> Tensor:
        """`(batch, samples)` to `(batch, channels, frames)`, but for rounding what the stock one gives."""
        if not _fit(self.conv_layers, waveforms):
            stock: Any = super()
            hidden: Tensor = stock.forward(waveforms)
            return hidden
        layers: list[Any] = list(self.conv_layers)
        items = waveforms[:, :, None]
        if isinstance(getattr(layers[0], "layer_norm", None), nn.GroupNorm):  # over time, of the whole batch
            items = layers.pop(0)(waveforms[:, None]).transpose(1, 2)
        return torch.stack([_convolved(item, layers) for item in items]).transpose(1, 2)


def quicken_front_end(encoder: nn.Module) -> None:
    """Have the front-end of an encoder run item by item where that can be, with the weights that it has."""
    front: Any = encoder.feature_extractor
    kind = type(front)
    if not issubclass(kind, _ItemByItem):
        front.__class__ = type(f"Quick{kind.__name__}", (_ItemByItem, kind), {})


def _fit(layers: nn.ModuleList, waveforms: Tensor) -> bool:
    learns = waveforms.requires_grad or any(weights.requires_grad for weights in layers.parameters())
    return on_processor(waveforms) and not (learns and torch.is_grad_enabled())


def _convolved(item: Tensor, layers: list[Any]) -> Tensor:
    """One item `(samples, channels)` through the layers."""
    for layer in layers:
        item = _products(item.contiguous(), layer.conv)
        if hasattr(layer, "layer_norm"):
            item = layer.layer_norm(item)
        item = layer.activation(item)
    return item


def _products(item: Tensor, conv: nn.Conv1d) -> Tensor:
    """`(samples, channels in)` to `(frames, channels out)`."""
    samples, channels = item.shape
    (kernel,), (stride,) = conv.kernel_size, conv.stride
    frames = (samples - kernel) // stride + 1
    weights = conv.weight.permute(2, 1, 0).reshape(kernel * channels, -1)
    output = item.new_zeros(frames, weights.shape[1])
    for start in range(0, kernel, stride):
        width = min(stride, kernel - start) * channels
        part = item.as_strided(
            (frames, width), (stride * channels, 1), item.storage_offset() + start * channels
        )
        output.addmm_(part, weights[start * channels :][:width])
    return output if conv.bias is None else output.add_(conv.bias)
