"""Whisper's encoder on the true length of each utterance, cut after a chosen layer."""

import copy
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import AutoConfig, WhisperConfig, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emojudge.models.padding import length_mask
from emojudge.models.pretrained import check_depth, load_pretrained
from emojudge.models.spectrogram import LogMel


class WhisperBackbone(nn.Module):
    """Whisper encoder layers 1 to `layers` without the padding to 30 s that `transformers` insists on.

    Early layers carry emotion best and later ones mostly words, so a truncated encoder is better as
    well as smaller. Hidden states are `(batch, frames, features)`, one frame per 20 ms.
    """

    def __init__(self, config: WhisperConfig, layers: int | None = None) -> None:
        super().__init__()
        config = copy.deepcopy(config)
        config.encoder_layers = check_depth(layers, config.encoder_layers)
        config._attn_implementation = "sdpa"
        encoder: Any = WhisperEncoder(config)
        encoder.layer_norm = nn.Identity()  # belongs to the full depth; pooling follows here
        self.encoder = encoder
        self.spectrogram = LogMel(config.num_mel_bins)
        self.features = config.d_model
        self.norm = nn.LayerNorm(config.d_model)

    @classmethod
    def from_pretrained(cls, folder: str, layers: int | None = None) -> Self:
        """Load from a local folder or, when downloads were asked for, a name on the Hub."""
        full = _full_encoder(folder)
        model = cls(full.config, layers)
        kept = {k: v for k, v in full.state_dict().items() if k in model.encoder.state_dict()}
        model.encoder.load_state_dict(kept)
        return model

    def freeze(self, layers: int) -> None:
        """Stop training the convolutions and the first `layers` transformer layers."""
        self.encoder.conv1.requires_grad_(False)
        self.encoder.conv2.requires_grad_(False)
        self.encoder.embed_positions.requires_grad_(False)
        for layer in self.encoder.layers[:layers]:
            layer.requires_grad_(False)

    def frames(self, lengths: Tensor) -> Tensor:
        """Hidden frames of items of `lengths` samples, `(batch,)`: the second convolution halves them."""
        return torch.div(LogMel.frames(lengths) - 1, 2, rounding_mode="floor") + 1

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """`(batch, samples)`, `(batch,)` to `(batch, frames, features)`."""
        mel, mel_mask = self.spectrogram(waveforms, lengths)
        hidden = nn.functional.gelu(self.encoder.conv1(mel))
        # An utterance alone meets zeros beyond its end in the second convolution; so must it in a batch.
        hidden = hidden * mel_mask[:, None, :]
        hidden = nn.functional.gelu(self.encoder.conv2(hidden)).transpose(1, 2)
        hidden = hidden + self.encoder.embed_positions.weight[: hidden.shape[1]]
        mask = length_mask(self.frames(lengths), hidden.shape[1])
        for layer in self.encoder.layers:
            hidden = layer(hidden, mask[:, None, None, :])
        normal: Tensor = self.norm(hidden)
        return normal


def _full_encoder(folder: str) -> Any:
    """The encoder, from its own checkpoint or from one of the whole model, as the Hub has them."""
    try:
        architectures = AutoConfig.from_pretrained(folder, trust_remote_code=False).architectures or []
    except (OSError, ValueError):
        architectures = []  # `load_pretrained` says what is wrong
    if "WhisperEncoder" in architectures or not architectures:
        return load_pretrained(WhisperEncoder, folder)
    return load_pretrained(WhisperModel, folder).encoder
