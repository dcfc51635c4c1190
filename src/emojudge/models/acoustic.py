"""The acoustic model: normalise, encode, pool over the true frames, classify."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from emojudge.models.backbones import load_backbone
from emojudge.models.dropout import quick_dropout
from emojudge.models.head import ResidualHead, with_auxiliary
from emojudge.models.padding import length_mask
from emojudge.models.pooling import AttentiveStatisticsPooling, LayerWeights
from emojudge.recipe import AcousticSettings


class AcousticModel(nn.Module):
    """Waveforms `(batch, samples)` and lengths `(batch,)` to logits `(batch, outputs)`.

    Samples are float32 at 16 kHz; whatever lies beyond an item's length is ignored, so that an item's
    logits do not depend on the batch it fell into. Source: EmoJudge section 2.1.

    Frames `(batch, frames, features)` that `encode` gave before are taken in the place of waveforms, with
    their numbers as lengths: a backbone that is not trained need not run in every epoch.

    While it is trained, what `auxiliary` heads make of the pooled features follows the outputs.
    """

    EPSILON = 1e-6  # of full scale: keeps digital silence finite
    mean: Tensor
    deviation: Tensor

    def __init__(
        self, backbone: nn.Module, outputs: int, settings: AcousticSettings, auxiliary: int = 0
    ) -> None:
        super().__init__()
        encoder: Any = backbone  # a module that is a `backbones.Backbone`
        features: int = encoder.features
        self.backbone = encoder
        self.layers: LayerWeights | None = None
        if settings.layer_weights:
            self.layers = LayerWeights(settings.backbone.last)
            features //= settings.backbone.last
        self.pooling = AttentiveStatisticsPooling(features)
        self.head = ResidualHead(
            2 * features, outputs, settings.head_width, settings.head_layers, settings.dropout
        )
        self.auxiliary = nn.Linear(2 * features, auxiliary) if auxiliary else None
        self.normalisation: Literal["corpus", "utterance"] = settings.normalisation
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))
        quick_dropout(self)

    @classmethod
    def from_settings(
        cls, settings: AcousticSettings, outputs: int, weights: str | None = None, auxiliary: int = 0
    ) -> "AcousticModel":
        """The model of a recipe, its encoder pre-trained, pooling and heads fresh."""
        return cls(load_backbone(settings.backbone, weights), outputs, settings, auxiliary)

    def normalise(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """Zero mean and unit deviation, by the training split's figures or by each utterance's own."""
        mask = length_mask(lengths, waveforms.shape[1])
        waveforms = waveforms.masked_fill(~mask, 0.0)  # not a product: 0 times NaN is NaN
        mean, deviation = self.mean, self.deviation
        if self.normalisation == "utterance":
            count = lengths[:, None].to(waveforms.dtype)
            mean = waveforms.sum(dim=1, keepdim=True) / count
            deviation = (((waveforms - mean).square() * mask).sum(dim=1, keepdim=True) / count).sqrt()
        return (waveforms - mean) / (deviation + self.EPSILON) * mask

    def encode(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden frames `(batch, frames, features)`, and how many of them are each item's, `(batch,)`."""
        return self.backbone(self.normalise(waveforms, lengths), lengths), self.backbone.frames(lengths)

    def embed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Pooled features `(batch, 2 * features)`, what `--adapt` normalises and the head reads."""
        hidden, frames = (inputs, lengths) if inputs.ndim == 3 else self.encode(inputs, lengths)
        if self.layers is not None:
            hidden = self.layers(hidden)
        pooled: Tensor = self.pooling(hidden, length_mask(frames, hidden.shape[1]))
        return pooled

    def forward(
        self, inputs: Tensor, lengths: Tensor, mix: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        pooled = self.embed(inputs, lengths)
        pooled = pooled if mix is None else mix(pooled)
        return with_auxiliary(self.head(pooled), pooled, self.auxiliary if self.training else None)

    @property
    def output_layer(self) -> nn.Linear:
        """What gives the logits; a known prior goes into its bias."""
        return self.head.output

    def penalty(self) -> Tensor:
        """The L2 term on the attention parameters, to be scaled by the recipe's `attention_penalty`."""
        return self.pooling.penalty()

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Trainable parameters by part: each part has its own learning rate."""
        pooling = nn.ModuleList([self.pooling] if self.layers is None else [self.layers, self.pooling])
        heads = nn.ModuleList([self.head] if self.auxiliary is None else [self.head, self.auxiliary])
        parts = {"encoder": self.backbone, "pooling": pooling, "head": heads}
        return {name: [p for p in part.parameters() if p.requires_grad] for name, part in parts.items()}
