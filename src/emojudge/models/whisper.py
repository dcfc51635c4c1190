"""Whisper's encoder on the true length of each utterance, cut after a chosen layer."""

import copy
import math
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import AutoConfig, WhisperConfig, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emojudge.models.padding import length_mask
from emojudge.models.pretrained import check_depth, check_last, load_pretrained
from emojudge.models.spectrogram import DYNAMIC_RANGE_DB, LogMel

FRAMES_PER_SECOND = 50  # hidden ones


class WhisperBackbone(nn.Module):
    """Whisper encoder layers 1 to `layers` without the padding to 30 s that `transformers` insists on.

    Early layers carry emotion best and later ones mostly words, so a truncated encoder is better as
    well as smaller. Hidden states are `(batch, frames, features)`, one frame per 20 ms; of the `last` layers,
    side by side. A smaller `dynamic_range_db` than Whisper's own 80 hides how quiet a recording's pauses are.
    """

    def __init__(
        self,
        config: WhisperConfig,
        layers: int | None = None,
        last: int = 1,
        dynamic_range_db: float | None = None,
    ) -> None:
        super().__init__()
        self.kind: str = config.model_type
        config = copy.deepcopy(config)
        config.encoder_layers = check_depth(layers, config.encoder_layers)
        config._attn_implementation = "sdpa"
        encoder: Any = WhisperEncoder(config)
        encoder.layer_norm = nn.Identity()  # belongs to the full depth; pooling follows here
        self.encoder = encoder
        self.spectrogram = LogMel(config.num_mel_bins, dynamic_range_db or DYNAMIC_RANGE_DB)
        self.last = check_last(last, config.encoder_layers)
        self.features = last * config.d_model
        self.norm = nn.LayerNorm(config.d_model)

    @classmethod
    def from_pretrained(
        cls, folder: str, layers: int | None = None, last: int = 1, dynamic_range_db: float | None = None
    ) -> Self:
        """Load from a local folder or, when downloads were asked for, a name on the Hub."""
        full = _full_encoder(folder)
        model = cls(full.config, layers, last, dynamic_range_db)
        kept = {k: v for k, v in full.state_dict().items() if k in model.encoder.state_dict()}
        model.encoder.load_state_dict(kept)
        return model

    def shorten(self, seconds: float) -> None:
        """Forget the positions beyond `seconds`, for a smaller model that hears nothing longer."""
        positions = self.encoder.embed_positions
        kept = positions.weight[: math.ceil(seconds * FRAMES_PER_SECOND)].detach().clone()
        shorter = nn.Embedding(kept.shape[0], kept.shape[1], _weight=kept)
        self.encoder.embed_positions = shorter.requires_grad_(False)

    def freeze(self, layers: int) -> None:
        """Stop training the convolutions and the first `layers` transformer layers."""
        self.encoder.conv1.requires_grad_(False)
        self.encoder.conv2.requires_grad_(False)
        self.encoder.embed_positions.requires_grad_(False)
        for layer in self.encoder.layers[:layers]:
            layer.requires_grad_(False)
        if layers >= len(self.encoder.layers):
            self.norm.requires_grad_(False)

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
        mask = length_mask(self.frames(lengths), hidden.shape[1])[:, None, None, :]
        # To be added, not a choice: an exported model would look for frames that attend to nothing.
        mask = hidden.new_zeros(mask.shape).masked_fill(~mask, -torch.inf)
        states: list[Tensor] = []
        for layer in self.encoder.layers:
            hidden = layer(hidden, mask)
            states.append(hidden)
        return torch.cat([self.norm(state) for state in states[-self.last :]], dim=2)


def _full_encoder(folder: str) -> Any:
    """The encoder, from its own checkpoint or from one of the whole model, as the Hub has them."""
    try:
        architectures = AutoConfig.from_pretrained(folder, trust_remote_code=False).architectures or []
    except (OSError, ValueError):
        architectures = []  # `load_pretrained` says what is wrong
    if "WhisperEncoder" in architectures or not architectures:
        return load_pretrained(WhisperEncoder, folder)
    return load_pretrained(WhisperModel, folder).encoder
