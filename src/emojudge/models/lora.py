"""Low-rank adapters in an encoder whose own weights stay as they are."""

import re
from typing import Any

from torch import nn

from emojudge.errors import MissingExtraError, RecipeError
from emojudge.recipe import LoraSettings

LAYER = re.compile(r"(?:^|\.)layers?\.(\d+)\.")


def add_lora(encoder: nn.Module, settings: LoraSettings, frozen_layers: int = 0) -> None:
    """Put adapters beside the projections that are named, in all layers above the frozen ones.

    Everything else in the encoder is frozen. The adapters begin at zero effect. Source: Hu et al. 2022.

    Raises:
        RecipeError: no layer above the frozen ones has such a projection.
        MissingExtraError: `peft` is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise MissingExtraError("backbone.lora", "train") from error
    linear = [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]
    above = [n for n in linear if (at := LAYER.search(n)) and int(at[1]) >= frozen_layers]
    targets = [name for name in above if name.rsplit(".", 1)[-1] in settings.targets]
    if not targets:
        known = sorted({name.rsplit(".", 1)[-1] for name in above})
        raise RecipeError(
            "backbone.lora.targets",
            found=", ".join(settings.targets),
            expected="one of the trained layers' projections: " + (", ".join(known) or "there is none"),
        )
    encoder.requires_grad_(False)
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=targets
    )
    inject_adapter_in_model(config, encoder)


def merge_lora(model: nn.Module) -> None:
    """Add the adapters to the weights that they stand beside, and take them out: nothing to ship or run."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if hasattr(child, "lora_A") and hasattr(child, "get_base_layer"):
                adapted: Any = child
                adapted.merge()
                setattr(parent, name, adapted.get_base_layer())
