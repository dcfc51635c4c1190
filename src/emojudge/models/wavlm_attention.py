"""WavLM's attention through its own projections, its shared bias made once, by fused kernels."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.wavlm.modeling_wavlm import WavLMAttention

from emojudge.models.gated_attention import gated_attention


class FusedWavLMAttention(WavLMAttention):
    """`transformers`' attention with the same weights and, but for rounding, the same output.

    The stock one hands the projections' weights to one function of torch and never calls the projections:
    whatever takes their place, such as LoRA, changes nothing and learns nothing. Here they are called. The
    bias by position is kept once, not once for each item, and the weights of attention `(batch, heads,
    frames, frames)` are not given out, since nobody reads them.
    """

    def forward(  # type: ignore[override]  # what nobody passes to it is not named again
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        position_bias: Tensor | None = None,
        index: int = 0,
        **unused: Any,
    ) -> tuple[Tensor, None, Tensor]:
        """Hidden states `(batch, frames, features)`; the bias is `(heads, frames, frames)`."""
        batch, frames, features = hidden_states.shape
        if position_bias is None:
            position_bias = self.compute_bias(frames, frames)

        def heads(projection: Any) -> Tensor:
            projected: Tensor = projection(hidden_states)
            return projected.view(batch, frames, self.num_heads, self.head_dim).transpose(1, 2)

        query, key, value = heads(self.q_proj), heads(self.k_proj), heads(self.v_proj)
        gate = self._gate(hidden_states)
        if self.training and query.device.type == "cpu" and query.dtype == torch.float32:
            lengths = [frames] * batch if attention_mask is None else attention_mask.eq(1).sum(dim=1).tolist()
            attended = gated_attention(query, key, value, gate, position_bias, lengths, self.dropout)
        else:
            bias = (gate[..., None] * position_bias).to(query.dtype)
            if attention_mask is not None:
                bias = bias.masked_fill(attention_mask.ne(1)[:, None, None, :], float("-inf"))
            attended = nn.functional.scaled_dot_product_attention(
                query, key, value, attn_mask=bias, dropout_p=self.dropout if self.training else 0.0
            )
        # Cloned, not `contiguous`: an export keeps no copy that the kernel it traced needs none of, and the
        # next kernel's output has other strides.
        joined = attended.transpose(1, 2).clone(memory_format=torch.contiguous_format)
        output: Tensor = self.out_proj(joined.view(batch, frames, features))
        return output, None, position_bias

    def _gate(self, hidden_states: Tensor) -> Tensor:
        """How far each frame's bias counts, `(batch, heads, frames)` (WavLM, section III)."""
        batch, frames, _ = hidden_states.shape
        by_head = hidden_states.view(batch, frames, self.num_heads, self.head_dim)
        projected = self.gru_rel_pos_linear(by_head).view(batch, frames, self.num_heads, 2, 4).sum(dim=-1)
        update, reset = torch.sigmoid(projected).permute(3, 0, 2, 1)
        const = self.gru_rel_pos_const.view(1, self.num_heads, 1)
        gate: Tensor = update * (reset * const - 1.0) + 2.0
        return gate


def fuse_attention(encoder: nn.Module) -> None:
    """Have every attention of a WavLM encoder be the fused one, with the weights that it has."""
    for module in encoder.modules():
        if type(module) is WavLMAttention:
            module.__class__ = FusedWavLMAttention
