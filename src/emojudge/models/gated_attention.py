"""Attention with WavLM's gated position bias on a processor, item by item: what a training step needs of it.

Torch's fused kernels for processors have neither dropout nor a gradient of the bias, so that training falls
back to whole tensors `(batch, heads, frames, frames)`: a dozen a layer, each written to memory and kept. Here
one item's scores are made, used and left while they are in the cache; the backward pass makes them once more.
As in FlashAttention (Dao et al. 2022, section 3.1) the row sums of P∘dP come from the output's gradient.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from emojudge.models.dropout import keep_mask


class _GatedAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, gate: Tensor, position: Tensor,
        lengths: list[int], dropout: float,
    ) -> Tensor:  # fmt: skip
        output = torch.zeros_like(query)
        ctx.lengths, ctx.kept, ctx.share = lengths, [], 1.0
        for item, length in enumerate(lengths):
            weights = _weights(query, key, gate, position, item, length)
            if dropout:
                kept, ctx.share = keep_mask(weights.shape, dropout)
                ctx.kept.append(kept)
                weights.mul_(kept.to(weights.dtype))  # three times as quick as filling by the mask
            attended = torch.bmm(weights, value[item, :, :length])
            output[item, :, :length] = attended.div_(ctx.share or 1.0)
        ctx.save_for_backward(query, key, value, gate, position, output)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, gate, position, output = ctx.saved_tensors
        slopes = [torch.zeros_like(t) for t in (query, key, value, gate)]
        of_query, of_key, of_value, of_gate = slopes
        of_position = torch.zeros_like(position) if ctx.needs_input_grad[4] else None
        scale = query.shape[-1] ** -0.5
        for item, length in enumerate(ctx.lengths):
            one = (item, slice(None), slice(length))
            bias = position[:, :length, :length]
            weights = _weights(query, key, gate, position, item, length)
            rows = (slope[one] * output[one]).sum(dim=-1, keepdim=True)  # of P∘dP
            given = slope[one] / (ctx.share or 1.0)
            scores = torch.bmm(given, value[one].transpose(1, 2))  # dP
            used = weights
            if ctx.kept:
                used = ctx.kept[item].to(weights.dtype)
                scores.mul_(used)
                used.mul_(weights)
            of_value[one] = torch.bmm(used.transpose(1, 2), given)
            scores.sub_(rows).mul_(weights)  # dS
            of_query[one] = torch.bmm(scores, key[one]).mul_(scale)
            of_key[one] = torch.bmm(scores.transpose(1, 2), query[one]).mul_(scale)
            of_gate[one] = torch.mul(scores, bias, out=weights).sum(dim=-1)
            if of_position is not None:
                of_position[:, :length, :length].addcmul_(scores, gate[one][:, :, None])
        return (*slopes, of_position, None, None)


def gated_attention(
    query: Tensor, key: Tensor, value: Tensor, gate: Tensor, position: Tensor, lengths: list[int],
    dropout: float = 0.0,
) -> Tensor:  # fmt: skip
    """softmax(q·k / √features + gate · position) · v over each item's own frames, weights dropped at random.

    Args:
        query, key, value: `(batch, heads, frames, features)`, float32, on a processor.
        gate: of each frame's bias, `(batch, heads, frames)`.
        position: the bias, `(heads, frames, frames)`, the same for all items.
        lengths: true frames of each item; frames beyond are 0 in the output.
        dropout: share of the weights that become 0, the others being scaled up; drawn from torch's generator.

    Returns:
        `(batch, heads, frames, features)`. It can be differentiated once.
    """
    attend: Any = _GatedAttention.apply
    attended: Tensor = attend(query, key, value, gate, position, lengths, dropout)
    return attended


def _weights(query: Tensor, key: Tensor, gate: Tensor, position: Tensor, item: int, length: int) -> Tensor:
    """One item's attention `(heads, frames, frames)`."""
    keys = key[item, :, :length].transpose(1, 2)
    scores = torch.bmm(query[item, :, :length] * query.shape[-1] ** -0.5, keys)
    scores.addcmul_(gate[item, :, :length, None], position[:, :length, :length])
    return torch.softmax(scores, dim=-1, out=scores)
