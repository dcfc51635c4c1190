"""WavLM's attention through its own projections, by torch's fused kernel."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.wavlm.modeling_wavlm import WavLMAttention


class FusedWavLMAttention(WavLMAttention):
    """`transformers`' attention with the same weights and, but for rounding, the same output.

    The stock one hands the projections' weights to one function of torch and never calls the projections:
    whatever takes their place, such as LoRA, changes nothing and learns nothing. Here they are called. Nor
    are the weights of attention `(batch, heads, frames, frames)` kept to be given out, which nobody reads.
    """

    def torch_multi_head_self_attention(
        self, hidden_states: Tensor, attention_mask: Tensor | None, gated_position_bias: Tensor
    ) -> tuple[Tensor, Any]:
        """Hidden states `(batch, frames, features)`; the bias is `(batch * heads, frames, frames)`."""
        batch, frames, features = hidden_states.shape

        def heads(projection: Any) -> Tensor:
            projected: Tensor = projection(hidden_states)
            return projected.view(batch, frames, self.num_heads, self.head_dim).transpose(1, 2)

        query = heads(self.q_proj)
        bias = gated_position_bias.view(batch, self.num_heads, frames, frames).to(query.dtype)
        if attention_mask is not None:
            bias = bias.masked_fill(attention_mask.ne(1)[:, None, None, :], float("-inf"))
        attended = nn.functional.scaled_dot_product_attention(
            query,
            heads(self.k_proj),
            heads(self.v_proj),
            attn_mask=bias,
            dropout_p=self.dropout if self.training else 0.0,
        )
        # Cloned, not `contiguous`: an export keeps no copy that the kernel it traced needs none of, and the
        # next kernel's output has other strides.
        joined = attended.transpose(1, 2).clone(memory_format=torch.contiguous_format)
        output: Tensor = self.out_proj(joined.view(batch, frames, features))
        return output, None


def fuse_attention(encoder: nn.Module) -> None:
    """Have every attention of a WavLM encoder be the fused one, with the weights that it has."""
    for module in encoder.modules():
        if type(module) is WavLMAttention:
            module.__class__ = FusedWavLMAttention
