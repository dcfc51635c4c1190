"""A model in slices: each process holds its part of every parameter, of its gradient and of its moments."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import broadcast
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from emojudge.errors import RecipeError

LAYER = re.compile(r"(?:^|\.)layers?\.\d+$")  # the names of an encoder's transformer layers


def shard(model: nn.Module, mesh: DeviceMesh) -> None:
    """Cut a model's parameters in slices, one for each process, by torch's `fully_shard`, on their devices.

    A layer's slices are brought together while it runs, forward and again backward, and what is in no layer
    while the model does. Gradients are averaged over the processes as they are cut. All processes must run
    the same layers, or one would wait for another's slices for ever.

    Source: Rajbhandari et al. 2020 (ZeRO), stage 3; Zhao et al. 2023.

    Raises:
        RecipeError: the model has no transformer layers.
    """
    layers = [module for name, module in model.named_modules() if LAYER.search(name)]
    if not layers:
        raise RecipeError(
            "training.parallel",
            found="'fsdp' for an encoder without transformer layers",
            expected="'ddp': it is small enough for each process to have the whole",
        )
    _drop_layers_together(model, mesh)
    # A view may not be changed in place. WavLM's layers hand on their position bias, and only read it.
    warnings.filterwarnings("ignore", r"FSDP2-wrapped module \(FSDPWavLM\w+\) returned a view", UserWarning)
    for module in (*layers, model):
        fully_shard(module, mesh=mesh, reshard_after_forward=True)


def is_sharded(model: nn.Module) -> bool:
    """Whether `shard` has cut it."""
    return isinstance(model, FSDPModule)


def whole(tensor: Tensor) -> Tensor:
    """A tensor as it was before it was cut, in this process's memory; all processes must ask for it."""
    return tensor.full_tensor().cpu() if isinstance(tensor, DTensor) else tensor


def cut_like(tensor: Tensor, own: Tensor | None) -> Tensor:
    """This process's slice of a whole tensor, as `own`, of the same shape, is cut; all of it if it is not."""
    if not isinstance(own, DTensor):
        return tensor
    return distribute_tensor(tensor, own.device_mesh, own.placements, src_data_rank=None)


def load_whole(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """`load_state_dict` of whole tensors, of which a sharded module takes its slices.

    Raises:
        RuntimeError: they are of another module.
    """
    own = module.state_dict()
    module.load_state_dict({name: cut_like(tensor, own.get(name)) for name, tensor in tensors.items()})


def _drop_layers_together(model: nn.Module, mesh: DeviceMesh) -> None:
    """Have the layers that an encoder drops at random in training be those that the first process draws.

    `transformers` draws in each process, layer by layer. A dropped layer runs here as the others do, and its
    output is left aside.
    """
    for module in model.modules():
        encoder: Any = module
        probability = getattr(getattr(encoder, "config", None), "layerdrop", 0.0)
        if not probability or not isinstance(getattr(encoder, "layers", None), nn.ModuleList):
            continue
        encoder.config.layerdrop = 0.0
        _LayerDrop(encoder, probability, mesh)


class _LayerDrop:
    def __init__(self, encoder: Any, probability: float, mesh: DeviceMesh) -> None:
        self._probability, self._mesh = probability, mesh
        self._dropped: set[nn.Module] = set()
        encoder.register_forward_pre_hook(self._draw)
        for layer in encoder.layers:
            layer.register_forward_hook(self._pass_by)

    def _draw(self, encoder: Any, _: Any) -> None:
        self._dropped = set()
        if encoder.training:
            drawn = torch.rand(len(encoder.layers)).to(self._mesh.device_type)
            broadcast(drawn, group_src=0, group=self._mesh.get_group())
            below = (drawn < self._probability).tolist()
            self._dropped = {layer for layer, drop in zip(encoder.layers, below, strict=True) if drop}

    def _pass_by(self, layer: nn.Module, given: tuple[Tensor, ...], output: Any) -> Any:
        """What the layer was given, in the place of the hidden states that it gives."""
        if layer not in self._dropped:
            return output
        return (given[0], *output[1:]) if isinstance(output, tuple) else given[0]
