"""WavLM, HuBERT and wav2vec 2.0: encoders over samples that share one convolutional front-end."""

from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from emojudge.models.fourier import quicken_positions
from emojudge.models.front_end import quicken_front_end
from emojudge.models.padding import length_mask
from emojudge.models.pretrained import check_depth, check_last, load_pretrained
from emojudge.models.wavlm_attention import fuse_attention


class MaskedGroupNorm(nn.GroupNorm):
    """Group normalisation over the true frames only.

    The base-size models normalise the first convolution's output over time, so that padding would change
    the statistics and with them every frame of a shorter item. `frames` `(batch,)` is set before each pass.
    """

    frames: Tensor

    def forward(self, hidden: Tensor) -> Tensor:
        """`(batch, channels, frames)`; one group per channel, as these front-ends have it."""
        hidden = hidden.float()  # as torch's own does it under autocast: bfloat16 has 3 digits
        mask = length_mask(self.frames, hidden.shape[2])
        weights = mask[:, None, :].to(hidden.dtype) / self.frames[:, None, None]
        mean = (hidden * weights).sum(dim=2, keepdim=True)
        variance = ((hidden - mean).square() * weights).sum(dim=2, keepdim=True)
        normal = (hidden - mean) * (variance + self.eps).rsqrt()
        return normal * self.weight[:, None] + self.bias[:, None]


class Wav2Vec2Backbone(nn.Module):
    """A `transformers` encoder of the wav2vec 2.0 family, with exact frame counts and no padding effect."""

    def __init__(self, encoder: Any, layers: int | None = None, last: int = 1) -> None:
        super().__init__()
        self.encoder: Any = encoder
        fuse_attention(encoder)
        quicken_front_end(encoder)
        quicken_positions(encoder)
        config = encoder.config
        self.kind: str = config.model_type
        self._strides = list(zip(config.conv_kernel, config.conv_stride, strict=True))
        kept = check_depth(layers, len(encoder.encoder.layers))
        encoder.encoder.layers = encoder.encoder.layers[:kept]
        self.last = check_last(last, kept)
        if last > 1:  # a dropped layer has no hidden state in the list: others would move into its place
            config.layerdrop = 0.0
        self.features: int = last * config.hidden_size
        first = encoder.feature_extractor.conv_layers[0]
        self._group_norm: MaskedGroupNorm | None = None
        if isinstance(getattr(first, "layer_norm", None), nn.GroupNorm):
            norm = first.layer_norm
            masked = MaskedGroupNorm(norm.num_groups, norm.num_channels, eps=norm.eps)
            masked.load_state_dict(norm.state_dict())
            first.layer_norm = self._group_norm = masked

    @classmethod
    def from_pretrained(cls, name: str, layers: int | None = None, last: int = 1) -> Self:
        """Load from a local folder, or from the Hub by name; never with remote code."""
        encoder = load_pretrained(AutoModel, name)
        encoder.config.apply_spec_augment = False
        return cls(encoder, layers, last)

    @classmethod
    def from_config(cls, config: Any, layers: int | None = None, last: int = 1) -> Self:
        """The architecture with random weights, from a configuration of `transformers` or its name."""
        if isinstance(config, str):
            config = AutoConfig.from_pretrained(config)
        config.apply_spec_augment = False
        encoder: Any = AutoModel
        return cls(encoder.from_config(config), layers, last)

    def freeze(self, layers: int) -> None:
        """Stop training the convolutional front-end and the first `layers` transformer layers."""
        # Not `requires_grad_` alone: in training mode it would still carry gradients back to the waveform.
        # This is what `freeze_feature_encoder` calls, which not all of these encoders have.
        self.encoder.feature_extractor._freeze_parameters()
        if layers:
            self.encoder.feature_projection.requires_grad_(False)
        for layer in self.encoder.encoder.layers[:layers]:
            layer.requires_grad_(False)
        if layers >= len(self.encoder.encoder.layers):
            self.encoder.requires_grad_(False)

    def _convolved(self, lengths: Tensor, layers: int) -> Tensor:
        for kernel, stride in self._strides[:layers]:
            lengths = torch.div(lengths - kernel, stride, rounding_mode="floor") + 1
        return lengths

    def frames(self, lengths: Tensor) -> Tensor:
        """Hidden frames of items of `lengths` samples, `(batch,)`, by the convolutions' own arithmetic.

        The official baseline's floor((n - 1) / 320) + 1 is one or two frames too many.
        """
        return self._convolved(lengths, len(self._strides))

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """`(batch, samples)`, `(batch,)` to `(batch, frames, features)`."""
        if self._group_norm is not None:
            self._group_norm.frames = self._convolved(lengths, 1)
        mask = length_mask(lengths, waveforms.shape[1])
        encoded = self.encoder(waveforms, attention_mask=mask.long(), output_hidden_states=self.last > 1)
        hidden: Tensor = encoded.last_hidden_state
        if self.last == 1:
            return hidden
        # The list's own last state lacks the normalisation that ends the large models.
        return torch.cat([*encoded.hidden_states[-self.last : -1], hidden], dim=2)
