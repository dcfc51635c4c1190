"""Pre-trained weights from a folder or the Hub: all of them, or a refusal; never quietly random ones."""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from emojudge.errors import RecipeError

UNUSED = ("pooler.", "masked_spec_embed")  # parts of an encoder that no model here reads


def load_pretrained(model_class: Any, name: str) -> Any:
    """A model of `transformers` with the weights at `name`, a folder or a name on the Hub, in float32.

    `transformers` itself fills weights that it does not find with random numbers; that is an error here.
    Remote code is never run.

    Raises:
        RecipeError: no such folder, not a model, or weights missing.
    """
    try:
        model, report = model_class.from_pretrained(
            name, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise _refusal(name, str(error).splitlines()[0]) from error
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(UNUSED))
    if missing:
        raise _refusal(name, f"{len(missing)} weights missing, such as {missing[0]}")
    return model


def checkpoint_gradients(model: nn.Module) -> None:
    """Have the encoder in a model compute each layer's hidden states again in the backward pass.

    The gradients are the same; memory grows with the layers' inputs alone, and a step takes about a third
    longer. Layers do this in training mode only. Source: Chen et al. 2016; it is `transformers`' own.

    Raises:
        RecipeError: the encoder has no layers that could.
    """
    encoder: Any = next((m for m in model.modules() if isinstance(m, PreTrainedModel)), None)
    if encoder is None or not encoder.supports_gradient_checkpointing:
        raise RecipeError(
            "training.gradient_checkpointing",
            found="an encoder that cannot",
            expected="one of transformers' that supports it",
        )
    # The older name is deprecated in transformers 5; 4 has no other.
    enable = (
        getattr(encoder, "activation_checkpointing_enable", None) or encoder.gradient_checkpointing_enable
    )
    enable({"use_reentrant": False})


def check_kind(encoder: Any, kind: str) -> None:
    """Refuse an encoder that is not of the kind that the recipe names."""
    found = encoder.config.model_type
    if found != kind:
        raise RecipeError(
            "backbone.kind", found=f"{kind!r} with weights of {found!r}", expected="the kind of the weights"
        )


def check_depth(layers: int | None, available: int) -> int:
    """The number of layers to keep; None for all that are available.

    Raises:
        RecipeError: the encoder has fewer.
    """
    if layers is not None and layers > available:
        raise RecipeError(
            "backbone.layers", found=str(layers), expected=f"at most {available}, which the encoder has"
        )
    return layers or available


def check_last(last: int, layers: int) -> int:
    """The number of last layers whose hidden states are taken.

    Raises:
        RecipeError: the encoder keeps fewer.
    """
    if last > layers:
        raise RecipeError(
            "backbone.last", found=str(last), expected=f"at most {layers}, the number of layers that are kept"
        )
    return last


def _refusal(name: str, found: str) -> RecipeError:
    return RecipeError(
        "backbone.weights",
        found=f"{name!r}: {found}",
        expected="a folder, or a name on the Hub, with an encoder's weights",
        advice="Check the name, or say with --weights in which folder it lies.",
    )
