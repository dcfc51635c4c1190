"""Pre-trained weights from a folder or the Hub: all of them, or a refusal; never quietly random ones."""

import pickle
from collections.abc import Sequence
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils.hub import cached_file

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
        raise refusal(name, str(error).splitlines()[0]) from error
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(UNUSED))
    if missing:
        raise refusal(name, f"{len(missing)} weights missing, such as {missing[0]}")
    return model


def pretrained_tensors(name: str, files: Sequence[str]) -> dict[str, Tensor]:
    """Tensors by name from the first of the files that is at `name`, a folder or a name on the Hub.

    Files of other suffixes than `.safetensors` are pickled; of these, tensors alone are read.

    Raises:
        RecipeError: none of the files is there, or holds anything else than tensors.
    """
    for file in files:
        try:
            path = cached_file(name, file, _raise_exceptions_for_missing_entries=False)
        except OSError as error:
            raise refusal(name, str(error).splitlines()[0]) from error
        if path is None:
            continue
        try:
            if path.endswith(".safetensors"):
                return load_file(path)
            tensors: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
            return tensors
        except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
            reason, *_ = str(error).splitlines() or [type(error).__name__]
            raise refusal(name, f"{file}: {reason}") from error
    raise refusal(name, f"none of {', '.join(files)}")


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


def check_kind(found: str, kind: str) -> None:
    """Refuse an encoder of the kind `found` that is not of the kind that the recipe names."""
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


def refusal(name: str, found: str) -> RecipeError:
    """The error for weights that cannot be used."""
    return RecipeError(
        "backbone.weights",
        found=f"{name!r}: {found}",
        expected="a folder, or a name on the Hub, with an encoder's weights",
        advice="Check the name, or say with --weights in which folder it lies.",
    )
