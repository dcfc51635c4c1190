"""The registry of encoders: everything that turns a padded batch into hidden frames."""

import difflib
from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn

from emojudge.errors import RecipeError
from emojudge.models.ecapa import EcapaBackbone
from emojudge.models.lora import add_lora
from emojudge.models.pretrained import check_kind
from emojudge.models.wav2vec2 import Wav2Vec2Backbone
from emojudge.models.whisper import WhisperBackbone
from emojudge.recipe import BackboneSettings


class Backbone(Protocol):
    """An acoustic encoder. `kind` is its name in the registry, `features` the size of a hidden frame."""

    kind: str
    features: int

    def frames(self, lengths: Tensor) -> Tensor:
        """Exact number of hidden frames of items of `lengths` samples, both `(batch,)`."""

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """`(batch, samples)`, zero beyond each length, to `(batch, frames, features)`."""

    def freeze(self, layers: int) -> None:
        """Stop training the front-end and the first `layers` layers."""


_KINDS: dict[str, Callable[..., nn.Module]] = {
    "ecapa": EcapaBackbone.from_pretrained,
    "whisper": WhisperBackbone.from_pretrained,
    # WavLM, HuBERT and wav2vec 2.0 share one front-end and one interface in transformers.
    "wavlm": Wav2Vec2Backbone.from_pretrained,
    "hubert": Wav2Vec2Backbone.from_pretrained,
    "wav2vec2": Wav2Vec2Backbone.from_pretrained,
}


def load_backbone(settings: BackboneSettings, weights: str | None = None) -> nn.Module:
    """Build the encoder that a recipe names, with its pre-trained weights, partly frozen as it says.

    Raises:
        RecipeError: the kind is not registered, or the weights are not of that kind, or not there.
    """
    if settings.kind not in _KINDS:
        near = difflib.get_close_matches(settings.kind, _KINDS, n=1)
        raise RecipeError(
            "backbone.kind",
            found=repr(settings.kind),
            expected="one of " + ", ".join(sorted(_KINDS)),
            advice=f"Did you mean {near[0]!r}?" if near else "",
        )
    options: dict[str, Any] = {}
    if settings.dynamic_range_db is not None:
        if settings.kind != "whisper":
            raise RecipeError(
                "backbone.dynamic_range_db",
                found=f"one for {settings.kind!r}",
                expected="none: only Whisper hears a spectrogram",
            )
        options["dynamic_range_db"] = settings.dynamic_range_db
    where = weights or settings.weights
    backbone: Any = _KINDS[settings.kind](where, settings.layers, settings.last, **options)
    check_kind(backbone.kind, settings.kind)
    backbone.freeze(settings.frozen_layers)
    if settings.lora:
        add_lora(backbone.encoder, settings.lora, settings.frozen_layers)
    loaded: nn.Module = backbone
    return loaded
