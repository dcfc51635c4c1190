"""Published emotion models, read into our classes: no code of theirs is run, and no pickle but of tensors.

- The baseline of the MSP-Podcast challenges: `3loi/SER-Odyssey-Baseline-WavLM-Categorical` or
  `-Multi-Attributes`, or a folder that the organisers' own training left, with `final_ssl.pt`,
  `final_pool.pt` and `final_ser.pt`; either with a `config.json` that has the `mean`
  and `std` of the training split's samples.
- audEERING's dimensional model: `audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim` (Wagner et al. 2023;
  CC BY-NC-SA 4.0, for research only).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model, WavLMConfig, WavLMModel
from transformers.utils.hub import cached_file

from emojudge.emotions import ATTRIBUTES, EMOTIONS
from emojudge.errors import RecipeError
from emojudge.models.acoustic import AcousticModel
from emojudge.models.head import DenseHead
from emojudge.models.pretrained import UNUSED, pretrained_tensors, refusal
from emojudge.models.wav2vec2 import Wav2Vec2Backbone
from emojudge.recipe import AcousticSettings, BackboneSettings, Task

WHOLE = ("model.safetensors", "pytorch_model.bin")
PARTS = {"ssl_model": "final_ssl.pt", "pool_model": "final_pool.pt", "ser_model": "final_ser.pt"}
SECONDS = 12.0  # to which the baseline cuts what it hears
ORDER = ("arousal", "dominance", "valence")  # of both models' attributes, which are on 0..1
_STRIDES = (5, 2, 2, 2, 2, 2, 2)  # of the convolutions; weights do not tell


@dataclass(frozen=True)
class Published:
    """A published model, and what it was made for."""

    model: AcousticModel
    settings: AcousticSettings
    task: Task


def load_published(name: str) -> Published:
    """The model at `name`, a folder or a name on the Hub. Its attributes are on -1..1, as our own models'.

    Raises:
        RecipeError: no such folder, none of the models that are known here, or tensors that are missing.
    """
    config = _config(name)
    try:
        if config.get("model_type") == "wav2vec2":
            return _audeering(name, config, pretrained_tensors(name, WHOLE))
        return _baseline(name, config, _baseline_tensors(name))
    except KeyError as error:
        raise refusal(name, f"no {error.args[0]}") from error
    except (RuntimeError, ValueError, TypeError) as error:
        raise refusal(name, str(error).splitlines()[-1].strip()) from error


def _config(name: str) -> dict[str, Any]:
    try:
        path = cached_file(name, "config.json", _raise_exceptions_for_missing_entries=False)
        config = json.loads(Path(path).read_text(encoding="utf-8")) if path else None
    except (OSError, ValueError, RecursionError) as error:
        raise refusal(name, str(error).splitlines()[0]) from error
    if path is None:
        raise refusal(name, "no config.json")
    if not isinstance(config, dict):
        raise refusal(name, "a config.json that is no mapping")
    return config


# --------------------------------------------------------------------------------- the challenges' baseline


def _baseline_tensors(name: str) -> dict[str, Tensor]:
    if all((Path(name) / file).is_file() for file in PARTS.values()):
        parts = {part: pretrained_tensors(name, [file]) for part, file in PARTS.items()}
        return {f"{part}.{key}": t for part, tensors in parts.items() for key, t in tensors.items()}
    return pretrained_tensors(name, WHOLE)


def _baseline(name: str, config: dict[str, Any], tensors: dict[str, Tensor]) -> Published:
    """WavLM, attentive statistics pooling and one block, which is our acoustic model by other names."""
    if "ser_model.fc.1.0.weight" in tensors:
        raise refusal(name, "a head of several layers")
    outputs = len(tensors["ser_model.out.0.bias"])
    task = _task(name, config, outputs)
    encoder = _wavlm(_under("ssl_model.", tensors))
    settings = AcousticSettings(
        backbone=BackboneSettings(kind="wavlm", weights=name),
        normalisation="corpus",
        attention_penalty=0,
        head_width=len(tensors["ser_model.fc.0.0.bias"]),
        head_layers=1,
        max_seconds=SECONDS,
    )
    model = AcousticModel(Wav2Vec2Backbone(encoder), outputs, settings)
    model.mean.fill_(float(config["mean"]))
    model.deviation.fill_(float(config["std"]))
    _fill(model.pooling.hidden, tensors, "pool_model.sap_linear")
    model.pooling.attention.data.copy_(tensors["pool_model.attention"].squeeze(1))
    for number in (0, 1):
        _fill(cast(nn.Sequential, model.head.blocks[0])[number], tensors, f"ser_model.fc.0.{number}")
    _fill(model.head.output, _ours(tensors, "ser_model.out.0", task), "ser_model.out.0")
    return Published(model.eval(), settings, task)


def _task(name: str, config: dict[str, Any], outputs: int) -> Task:
    """By the number of outputs, whose order is checked where the configuration names it."""
    names = [str(label).lower() for _, label in sorted(_labels(config).items())]
    for task, expected in (("emotion", EMOTIONS), ("attributes", ORDER)):
        if outputs == len(expected):
            # As "Angry" or "anger", "Arousal" or "aro"; "LABEL_0" says nothing.
            if (
                names
                and not names[0].startswith("label")
                and [n[:3] for n in names] != [e[:3] for e in expected]
            ):
                raise refusal(name, f"the outputs {', '.join(names)}")
            return cast(Task, task)
    raise refusal(name, f"{outputs} outputs")


def _labels(config: dict[str, Any]) -> dict[int, Any]:
    labels = config.get("id2label")
    return {int(number): label for number, label in labels.items()} if isinstance(labels, dict) else {}


def _wavlm(tensors: dict[str, Tensor]) -> WavLMModel:
    """WavLM of the sizes that its tensors have: what is published has no configuration of it."""
    convolutions = [tensors[f"feature_extractor.conv_layers.{at}.conv.weight"] for at in range(len(_STRIDES))]
    layers = {key.split(".")[2] for key in tensors if key.startswith("encoder.layers.")}
    hidden, within, positions = tensors[_positions(tensors)].shape
    large = "feature_extractor.conv_layers.1.layer_norm.weight" in tensors
    buckets, heads = tensors["encoder.layers.0.attention.rel_attn_embed.weight"].shape
    config = WavLMConfig(
        hidden_size=hidden,
        num_hidden_layers=len(layers),
        num_attention_heads=heads,
        num_buckets=buckets,
        intermediate_size=len(tensors["encoder.layers.0.feed_forward.intermediate_dense.bias"]),
        conv_dim=tuple(len(kernel) for kernel in convolutions),
        conv_kernel=tuple(kernel.shape[2] for kernel in convolutions),
        conv_stride=_STRIDES,
        conv_bias="feature_extractor.conv_layers.0.conv.bias" in tensors,
        feat_extract_norm="layer" if large else "group",
        do_stable_layer_norm=large,
        num_conv_pos_embeddings=positions,
        num_conv_pos_embedding_groups=hidden // within,
        apply_spec_augment=False,
    )
    encoder: WavLMModel = _filled(WavLMModel(config), tensors)
    return encoder


# ------------------------------------------------------------------------------------------------ audEERING


def _audeering(name: str, config: dict[str, Any], tensors: dict[str, Tensor]) -> Published:
    """wav2vec 2.0, the mean of its frames, and a head with a hyperbolic tangent."""
    known = {key: value for key, value in config.items() if value is not None}  # its vocab_size is null
    encoder = Wav2Vec2Model(Wav2Vec2Config(**known | {"apply_spec_augment": False}))
    outputs = len(tensors["classifier.out_proj.bias"])
    if _task(name, config, outputs) != "attributes":
        raise refusal(name, f"{outputs} outputs")
    settings = AcousticSettings(
        backbone=BackboneSettings(kind="wav2vec2", weights=name),
        normalisation="utterance",
        attention_penalty=0,
        max_seconds=29.0,
    )
    backbone = Wav2Vec2Backbone(_filled(encoder, _under("wav2vec2.", tensors)))
    model = AcousticModel(backbone, outputs, settings)
    nn.init.zeros_(model.pooling.attention)  # every frame counts the same
    head = DenseHead(2 * backbone.features, backbone.features, outputs)
    weight = tensors["classifier.dense.weight"]
    blind = torch.zeros_like(weight)  # to the deviations that our pooling gives beside the means
    head.dense.load_state_dict(
        {"weight": torch.cat([weight, blind], dim=1), "bias": tensors["classifier.dense.bias"]}
    )
    _fill(head.output, _ours(tensors, "classifier.out_proj", "attributes"), "classifier.out_proj")
    cast(Any, model).head = head  # of another kind than ours
    return Published(model.eval(), settings, "attributes")


# --------------------------------------------------------------------------------------------------- both


def _ours(tensors: Mapping[str, Tensor], prefix: str, task: Task) -> dict[str, Tensor]:
    """The last layer: attributes in our order, and on -1..1 where theirs are on 0..1."""
    made = {name: tensors[f"{prefix}.{name}"] for name in ("weight", "bias")}
    if task == "attributes":
        order = [ORDER.index(name) for name in ATTRIBUTES]
        made = {name: 2 * tensor[order] for name, tensor in made.items()}
        made["bias"] = made["bias"] - 1
    return {f"{prefix}.{name}": tensor for name, tensor in made.items()}


def _fill(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str) -> None:
    module.load_state_dict({name: tensors[f"{prefix}.{name}"] for name in ("weight", "bias")})


def _filled(encoder: Any, tensors: dict[str, Tensor]) -> Any:
    """The encoder with all of its weights, under today's names of those that torch has renamed."""
    today = {_renamed(name): tensor for name, tensor in tensors.items()}
    missing, unknown = encoder.load_state_dict(today, strict=False)
    wrong = [name for name in (*missing, *unknown) if not name.startswith(UNUSED)]
    if wrong:
        raise RecipeError(
            "backbone.weights",
            found=f"{len(wrong)} tensors of the encoder missing or unknown, such as {wrong[0]}",
            expected="those of a published model",
        )
    return encoder


def _renamed(name: str) -> str:
    """Weight normalisation, as torch 2 has it."""
    for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
        if name.endswith(f".conv.{old}"):
            return name.removesuffix(old) + f"parametrizations.weight.{new}"
    return name


def _positions(tensors: Mapping[str, Tensor]) -> str:
    """The name of the positions' convolution."""
    place = "encoder.pos_conv_embed.conv."
    new = f"{place}parametrizations.weight.original1"
    return new if new in tensors else f"{place}weight_v"


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}
