"""Tiny encoders of every kind that `models.backbones` registers, with random weights."""

from typing import Any

import pytest

ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
    "conv_dim": (16,) * 7,
}
# The two front-ends of this family: the base models normalise over time, the large ones over channels.
KINDS = [
    "whisper",
    *(f"{kind}-{norm}" for kind in ("wavlm", "hubert", "wav2vec2") for norm in ("group", "layer")),
]


def encoder_config(kind: str) -> Any:
    """The configuration of a tiny encoder, such as `wavlm-group`."""
    from transformers import HubertConfig, Wav2Vec2Config, WavLMConfig, WhisperConfig

    name, _, norm = kind.partition("-")
    if name == "whisper":
        return WhisperConfig(
            d_model=32, encoder_layers=3, encoder_attention_heads=4, encoder_ffn_dim=64, num_mel_bins=80
        )
    config = {"wavlm": WavLMConfig, "hubert": HubertConfig, "wav2vec2": Wav2Vec2Config}[name]
    return config(**ENCODER, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer")


@pytest.fixture(scope="session")
def tiny_backbone():  # type: ignore[no-untyped-def]
    """A function from a kind to its backbone, in eval mode; the same one for the same arguments."""
    torch = pytest.importorskip("torch", reason="needs the extra 'train'")
    from emojudge.models.wav2vec2 import Wav2Vec2Backbone
    from emojudge.models.whisper import WhisperBackbone

    made: dict[tuple[str, int], Any] = {}

    def build(kind: str, last: int = 1) -> Any:
        if (kind, last) not in made:
            torch.manual_seed(len(kind))
            make = WhisperBackbone if kind == "whisper" else Wav2Vec2Backbone.from_config
            made[kind, last] = make(encoder_config(kind), last=last).eval()
        return made[kind, last]

    return build
