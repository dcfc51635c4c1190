"""A training's whole state in one file, written whole or not at all; safetensors, never pickle."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from emojudge.errors import TrainingError
from emojudge.files import whole
from emojudge.training.shards import cut_like


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """What goes wrong with the disk in it, such as that it is full, in words.

    Raises:
        TrainingError: it did.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            path,
            found=str(error),
            expected="a disk to write on, with room",
            advice="Make room and run the same command again: it goes on from the last checkpoint.",
        ) from error


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and a JSON-able state together, replacing the file in one step.

    Raises:
        TrainingError: the disk is full, or cannot be written on; the file is as it was.
    """
    contiguous = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
    with writing(path), whole(path) as temporary:
        save_file(contiguous, temporary, metadata={"state": json.dumps(state)})
        with temporary.open("rb") as file:
            os.fsync(file.fileno())


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_checkpoint` wrote."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
        return tensors, json.loads(file.metadata()["state"])


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's moments by parameter number and name: `3.exp_avg`."""
    state = optimiser.state_dict()["state"]
    return {f"{number}.{name}": value for number, values in state.items() for name, value in values.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave; groups and learning rates stay as the recipe has them."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        own = parameters[int(number)] if value.ndim else None  # the number of steps is no moment
        state.setdefault(int(number), {})[name] = cut_like(value, own)
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names under a prefix, to keep several sets of tensors in one file."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that `with_prefix` named."""
    start = f"{prefix}/"
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}
