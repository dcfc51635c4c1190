"""The linguistic model: an encoder over tokens, its first token's vector, dropout, linear."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from transformers import AutoModel

from emojudge.models.dropout import quick_dropout
from emojudge.models.head import with_auxiliary
from emojudge.models.lora import add_lora
from emojudge.models.padding import length_mask
from emojudge.models.pretrained import check_depth, check_kind, load_pretrained
from emojudge.recipe import LinguisticSettings


class LinguisticModel(nn.Module):
    """Token ids `(batch, tokens)` and lengths `(batch,)` to logits `(batch, outputs)`.

    Any encoder of `transformers` that takes ids and a mask: RoBERTa, DeBERTa, BERT, MiniLM. Ids beyond an
    item's length are ignored. Source: EmoJudge section 2.2.

    While it is trained, what `auxiliary` heads make of the first token's vector follows the outputs.
    """

    def __init__(self, encoder: Any, outputs: int, dropout: float = 0.3, auxiliary: int = 0) -> None:
        super().__init__()
        self.encoder: Any = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.config.hidden_size, outputs)
        self.auxiliary = nn.Linear(encoder.config.hidden_size, auxiliary) if auxiliary else None
        quick_dropout(self)

    @classmethod
    def from_settings(
        cls, settings: LinguisticSettings, outputs: int, weights: str | None = None, auxiliary: int = 0
    ) -> "LinguisticModel":
        """The model of a recipe, its encoder pre-trained (never with remote code), its head fresh.

        Raises:
            RecipeError: the weights are not there, or not of the kind or depth that the recipe names.
        """
        encoder = load_pretrained(AutoModel, weights or settings.backbone.weights)
        check_kind(encoder.config.model_type, settings.backbone.kind)
        layers, frozen = settings.backbone.layers, settings.backbone.frozen_layers
        if layers is not None:
            encoder.encoder.layer = encoder.encoder.layer[: check_depth(layers, len(encoder.encoder.layer))]
        if frozen:
            encoder.embeddings.requires_grad_(False)
            encoder.encoder.layer[:frozen].requires_grad_(False)
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # the first token's vector is read as it is
        if settings.backbone.lora:
            add_lora(encoder, settings.backbone.lora, frozen)
        return cls(encoder, outputs, settings.dropout, auxiliary)

    def encode(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """The first token's vector of each item, `(batch, features)`."""
        mask = length_mask(lengths, tokens.shape[1])
        hidden: Tensor = self.encoder(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        return hidden[:, 0]

    def forward(
        self, tokens: Tensor, lengths: Tensor, mix: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        first = self.encode(tokens, lengths)
        features = self.dropout(first if mix is None else mix(first))
        return with_auxiliary(self.head(features), features, self.auxiliary if self.training else None)

    @property
    def output_layer(self) -> nn.Linear:
        """What gives the logits; a known prior goes into its bias."""
        return self.head

    def penalty(self) -> Tensor:
        """There is no attention pooling here to penalise."""
        nothing: Tensor = self.head.weight.new_zeros(())
        return nothing

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Trainable parameters by part: each part has its own learning rate."""
        heads = nn.ModuleList([self.head] if self.auxiliary is None else [self.head, self.auxiliary])
        parts = {"encoder": self.encoder, "head": heads}
        return {name: [p for p in part.parameters() if p.requires_grad] for name, part in parts.items()}
