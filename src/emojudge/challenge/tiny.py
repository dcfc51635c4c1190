"""The paper's systems at a size that runs in minutes anywhere: plumbing, whose figures mean nothing."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emojudge.emotions import EMOTIONS
from emojudge.files import whole_folder
from emojudge.recipe import LearningRates, Recipe

VOCABULARY = 600  # byte-level tokens, so that no text is unknown
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")  # in RoBERTa's order
_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_CONVOLUTIONS = {
    "conv_dim": (32,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
_LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}


def shrunk(recipe: Recipe) -> Recipe:
    """The recipe with a narrow head, short clips and texts, two quick epochs; all else is as it was."""
    rates = LearningRates(encoder=1e-3, pooling=1e-3, head=1e-2)
    training = {
        "epochs": 2,
        "batch_size": 16,
        "accumulation": 2,
        "learning_rates": rates,
        "precision": "float32",
    }
    update: dict[str, Any] = {"training": recipe.training.model_copy(update=training)}
    if recipe.acoustic is not None:
        backbone = recipe.acoustic.backbone
        backbone = backbone.model_copy(update={"last": min(backbone.last, _SIZES["num_hidden_layers"])})
        small = {"backbone": backbone, "head_width": 16, "max_seconds": 2.0}
        update["acoustic"] = recipe.acoustic.model_copy(update=small)
    if recipe.linguistic is not None:
        update["linguistic"] = recipe.linguistic.model_copy(update={"max_tokens": 32})
    return recipe.model_copy(update=update)


def write_weights(recipe: Recipe, folder: Path, texts: Iterable[str]) -> None:
    """A small random encoder of the recipe's architecture, under the name that the recipe has for weights.

    Args:
        folder: becomes the `weights` folder of a training.
        texts: what the tokenizer of a linguistic model is made from.
    """
    import torch
    from transformers import AutoConfig, AutoModel
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    from emojudge.models.ecapa import EcapaEncoder, published_folder

    settings = recipe.acoustic or recipe.linguistic
    assert settings is not None
    kind, place = settings.backbone.kind, folder / settings.backbone.weights
    if place.exists():
        return
    torch.manual_seed(recipe.training.seed)
    auto: Any = AutoModel
    configs: Any = AutoConfig  # both without types
    if kind == "ecapa":
        with whole_folder(place) as partial:
            published_folder(EcapaEncoder(channels=32, features=48, scale=4, squeezed=8), partial)
        return
    if kind == "whisper":
        config = configs.for_model(
            kind, d_model=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=64
        )
        encoder: Any = WhisperEncoder(config)
    elif recipe.acoustic is not None:
        shape = _LARGE if "large" in settings.backbone.weights else {}
        encoder = auto.from_config(configs.for_model(kind, **_SIZES, **_CONVOLUTIONS, **shape))
    else:
        more = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]} if kind == "deberta" else {}
        encoder = auto.from_config(
            configs.for_model(
                kind, vocab_size=VOCABULARY, max_position_embeddings=130, pad_token_id=1, **_SIZES, **more
            )
        )
    with whole_folder(place) as partial:
        if recipe.acoustic is None:
            _write_tokenizer(partial / "tokenizer.json", texts)
        encoder.save_pretrained(partial)


def write_published(name: str, folder: Path) -> None:
    """A small random model in the layout of a published one, under its name; see `models.published`."""
    import torch
    from safetensors.torch import save_file
    from transformers import Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel

    place = folder / name
    if place.exists():
        return
    torch.manual_seed(0)
    width = _SIZES["hidden_size"]
    small: dict[str, Any] = _SIZES | _CONVOLUTIONS | _LARGE
    if name.startswith("audeering/"):
        config = Wav2Vec2Config(**small)
        parts = {
            "wav2vec2": Wav2Vec2Model(config),
            "classifier.dense": torch.nn.Linear(width, width),
            "classifier.out_proj": torch.nn.Linear(width, 3),
        }
        about = config.to_dict() | {"id2label": {"0": "arousal", "1": "dominance", "2": "valence"}}
        tensors = {}
    else:
        labels = ["arousal", "dominance", "valence"] if "Attributes" in name else EMOTIONS
        block = torch.nn.Sequential(torch.nn.Linear(2 * width, width), torch.nn.LayerNorm(width))
        parts = {
            "ssl_model": WavLMModel(WavLMConfig(**small)),
            "pool_model.sap_linear": torch.nn.Linear(width, width),
            "ser_model.fc.0": block,
            "ser_model.out.0": torch.nn.Linear(width, len(labels)),
        }
        about = {"mean": -8e-05, "std": 0.0886, "id2label": {str(n): label for n, label in enumerate(labels)}}
        tensors = {"pool_model.attention": torch.randn(width, 1)}
    tensors |= {
        _old(f"{part}.{key}"): tensor.contiguous()
        for part, module in parts.items()
        for key, tensor in module.state_dict().items()
    }
    with whole_folder(place) as partial:
        (partial / "config.json").write_text(json.dumps(about), encoding="utf-8")
        save_file(tensors, partial / "model.safetensors")


def _old(name: str) -> str:
    """Weight normalisation as torch 1 had it, which is how these models are published."""
    name = name.replace("parametrizations.weight.original0", "weight_g")
    return name.replace("parametrizations.weight.original1", "weight_v")


def _write_tokenizer(path: Path, texts: Iterable[str]) -> None:
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import RobertaProcessing

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(texts, VOCABULARY, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.save(str(path))
