"""Checkpoints: everything comes back as it was, and a file is there whole or not at all."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")

from emojudge.training import checkpoint  # noqa: E402
from emojudge.training.checkpoint import (  # noqa: E402
    load_checkpoint,
    optimiser_tensors,
    restore_optimiser,
    save_checkpoint,
    under_prefix,
    with_prefix,
)


def test_tensors_and_state_come_back(tmp_path: Path):
    tensors = {
        "a/weight": torch.randn(3, 4).t(),  # not contiguous
        "b": torch.get_rng_state(),
        "c": torch.tensor(7.0),
        "d": torch.tensor([1, 2], dtype=torch.int64),
    }
    tensors["tied"] = tensors["c"]
    state = {"epoch": 3, "best": 0.1 + 0.2, "none": -float("inf"), "losses": [1 / 3, 2e-17]}
    save_checkpoint(tmp_path / "x.safetensors", tensors, state)
    loaded, back = load_checkpoint(tmp_path / "x.safetensors")
    assert back == state
    assert set(loaded) == set(tensors)
    assert all(torch.equal(loaded[name], tensor) and loaded[name].dtype == tensor.dtype
               for name, tensor in tensors.items())  # fmt: skip


@pytest.mark.parametrize("moment", ["save_file", "replace"])
def test_a_save_that_is_cut_off_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
):
    path = tmp_path / "x.safetensors"
    save_checkpoint(path, {"w": torch.ones(2)}, {"step": 1})

    def cut_off(*where, **_):
        if moment == "save_file":
            Path(where[1]).write_bytes(b"half")
        raise KeyboardInterrupt

    target = checkpoint if moment == "save_file" else os
    with monkeypatch.context() as patch:
        patch.setattr(target, moment, cut_off)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(path, {"w": torch.zeros(2)}, {"step": 2})
    assert load_checkpoint(path)[1] == {"step": 1}
    save_checkpoint(path, {"w": torch.zeros(2)}, {"step": 2})  # what the cut left is in nobody's way
    assert load_checkpoint(path)[1] == {"step": 2}


# A limit belongs to a process: set on this one, it would also cut off what pytest prints to a file.
ON_A_SMALL_DISK = """
import resource, sys
from pathlib import Path

import torch

from emojudge.errors import TrainingError
from emojudge.training.checkpoint import save_checkpoint

path = Path(sys.argv[1])
save_checkpoint(path, {"w": torch.ones(2)}, {"step": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_checkpoint(path, {"w": torch.zeros(20_000)}, {"step": 2})
except TrainingError as error:
    print(error)
"""


def test_a_full_disk_is_named_and_leaves_the_checkpoint_before(tmp_path: Path):
    """No file may grow over 20 kB: as on a disk that is full, writing fails in the middle."""
    pytest.importorskip("resource", reason="needs POSIX limits")
    path = tmp_path / "x.safetensors"
    child = subprocess.run(
        [sys.executable, "-c", ON_A_SMALL_DISK, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"x\.safetensors: found .*(?i:large|space).*goes on from the last", child.stdout), (
        child.stdout
    )
    assert load_checkpoint(path)[1] == {"step": 1}
    assert os.listdir(tmp_path) == ["x.safetensors"]  # no half file stays on a full disk


def test_an_optimiser_goes_on_where_it_was():
    def train(model: torch.nn.Module, optimiser: torch.optim.Optimizer, steps: range) -> None:
        for step in steps:
            optimiser.zero_grad()
            model(torch.full((2, 3), step / 7)).square().sum().backward()
            optimiser.step()

    def make() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
        groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters(), "lr": 0.01}]
        return model, torch.optim.AdamW(groups)

    straight, optimiser = make()
    train(straight, optimiser, range(10))
    model, optimiser = make()
    train(model, optimiser, range(4))
    tensors = {name: tensor.clone() for name, tensor in optimiser_tensors(optimiser).items()}
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model, optimiser = make()
    model.load_state_dict(weights)
    restore_optimiser(optimiser, tensors)
    train(model, optimiser, range(4, 10))
    assert [group["lr"] for group in optimiser.param_groups] == [0.1, 0.01]
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name])


def test_prefixes():
    tensors = {"x": torch.ones(1), "y/z": torch.zeros(1)}
    both = {**with_prefix("model", tensors), **with_prefix("models", {"x": torch.ones(2)})}
    assert under_prefix("model", both) == tensors


def test_the_file_is_safetensors(tmp_path: Path):
    save_checkpoint(tmp_path / "x.safetensors", {"w": torch.ones(2)}, {"step": 1})
    content = (tmp_path / "x.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["state"]) == {"step": 1}
