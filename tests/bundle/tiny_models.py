"""Small random models of every kind whose weights a bundle can keep for torch, and bundles of them alone."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModel,
    BertConfig,
    CamembertConfig,
    DebertaConfig,
    DebertaV2Config,
    ElectraConfig,
    HubertConfig,
    RobertaConfig,
    Wav2Vec2Config,
    WavLMConfig,
    WhisperConfig,
    XLMRobertaConfig,
)

from emojudge.bundle.format import Bundle, Manifest, write_manifest
from emojudge.bundle.weights import write_weights
from emojudge.emotions import EMOTIONS
from emojudge.models.acoustic import AcousticModel
from emojudge.models.ecapa import EcapaBackbone, EcapaEncoder
from emojudge.models.linguistic import LinguisticModel
from emojudge.models.wav2vec2 import Wav2Vec2Backbone
from emojudge.models.whisper import WhisperBackbone
from emojudge.recipe import AcousticSettings, BackboneSettings

FAMILY = {"wavlm": WavLMConfig, "wav2vec2": Wav2Vec2Config, "hubert": HubertConfig}
READERS = {
    "bert": BertConfig,
    "camembert": CamembertConfig,
    "deberta": DebertaConfig,
    "deberta-v2": DebertaV2Config,
    "electra": ElectraConfig,
    "roberta": RobertaConfig,
    "xlm-roberta": XLMRobertaConfig,
}
SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
FRONT = {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "conv_dim": (16,) * 7}
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}  # as the large models have it
VOICES = ("whisper", "ecapa", *FAMILY, *(f"{kind}-large" for kind in FAMILY))
LONGEST = 16  # tokens


def voice(kind: str, **settings: Any) -> AcousticModel:
    torch.manual_seed(1)
    family, _, large = kind.partition("-")
    backbone: Any
    if kind == "whisper":
        config = WhisperConfig(
            d_model=32, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=64, num_mel_bins=80
        )
        backbone = WhisperBackbone(config, dynamic_range_db=60.0)
    elif kind == "ecapa":
        backbone = EcapaBackbone(EcapaEncoder(channels=32, features=48, scale=4, squeezed=8))
    else:
        last = settings.get("last", 1)
        backbone = Wav2Vec2Backbone.from_config(
            FAMILY[family](**SIZES, **FRONT, **(LARGE if large else {})), 2, last
        )
    chosen = AcousticSettings(
        backbone=BackboneSettings(kind=family, weights="", last=settings.pop("last", 1)),
        **{"head_width": 8, "normalisation": "utterance", **settings},
    )
    return uneven(AcousticModel(backbone, len(EMOTIONS), chosen))


def words(kind: str, auxiliary: int = 0) -> LinguisticModel:
    torch.manual_seed(2)
    auto: Any = AutoModel
    encoder = auto.from_config(READERS[kind](**SIZES, vocab_size=60, max_position_embeddings=LONGEST + 2))
    encoder.encoder.layer = encoder.encoder.layer[:2]  # as `backbone.layers` has it
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return uneven(LinguisticModel(encoder, 11, auxiliary=auxiliary))


def uneven(model: Any) -> Any:
    """What is fresh, and would be 0 or 1, as a training might have left it."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.normal_(parameter.mean().item(), 0.3)
    return model.eval()


def keeping(folder: Path, **parts: Any) -> Bundle:
    """A bundle of weights for torch and nothing else.

    Args:
        parts: `acoustic` and `linguistic`, each a model and its part of the manifest.
    """
    for name, (model, _) in parts.items():
        write_weights(model, folder / f"{name}.safetensors")
    audio, text = (parts[name][1] if name in parts else None for name in ("acoustic", "linguistic"))
    manifest = Manifest(
        format=1, name="kept", emotions=EMOTIONS, audio=audio, text=text, fusion=None, licence="none",
        provenance={}, hashes={},
    )  # fmt: skip
    write_manifest(folder, manifest)
    return Bundle.open(folder)
