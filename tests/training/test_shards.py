"""Two processes share a model by slices and come to what one does: torch's FSDP with gloo, by torchrun."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("accelerate", reason="needs the extra 'train'")

from emojudge.errors import RecipeError  # noqa: E402
from emojudge.training.checkpoint import load_checkpoint  # noqa: E402
from emojudge.training.shards import shard  # noqa: E402
from tests.training import shards_script  # noqa: E402

ROOT = Path(__file__).parents[2]
NEAR = {"atol": 1e-5, "rtol": 1e-5}
HALF = {"atol": 2e-3, "rtol": 1e-2}  # of sums that float16 rounds in another order


def two(folder: Path, *jobs: str) -> None:
    script = ["-m", "tests.training.shards_script", str(folder), *jobs]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Warning: FSDP" not in done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every run of the tests below, since a process takes longer to begin than to train."""
    folder = tmp_path_factory.mktemp("shards")
    for job in ("toy/one", "float16/one", "overflow/one", "wavlm/one", "lora/one", "toy/moved:7"):
        shards_script.train(folder, job)
    straight = ("toy/two", "float16/two", "overflow/two", "wavlm/two", "lora/two", "random/two")
    two(folder, *straight, "toy/back:7", "random/left:4", "random/left", "toy/moved")
    shards_script.train(folder, "toy/back")
    return folder


def rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def assert_same(one: Path, other: Path, tolerance: dict[str, float]) -> None:
    """Parameters, moments, average and figures, of the last step and of the best."""
    for name in ("checkpoint.safetensors", "best.safetensors"):
        (ours, _), (theirs, _) = load_checkpoint(one / name), load_checkpoint(other / name)
        random = {"random", "rank1/random"}  # numbers of other processes
        assert set(ours) - random == set(theirs) - random
        for key in set(ours) - random:
            torch.testing.assert_close(ours[key], theirs[key], msg=f"{name}: {key}", **tolerance)
    for ours, theirs in zip(rows(one), rows(other), strict=True):
        assert ours == pytest.approx(theirs, abs=tolerance["atol"], rel=tolerance["rtol"])


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["toy", "float16", "overflow", "wavlm", "lora"])
def test_two_processes_come_to_what_one_does(home: Path, variant: str):
    """Penalty, clipping, accumulation, CCC over the whole batch, an average of weights, a known prior, frozen
    layers, adapters, gradient checkpointing, a scaled loss, steps that are skipped."""
    tolerance = HALF if variant == "float16" else NEAR
    assert_same(home / variant / "one", home / variant / "two", tolerance)
    figures = rows(home / variant / "two")
    if variant == "overflow":
        assert figures[0]["skipped"] == figures[0]["step"]
    else:
        assert figures[-1]["loss"] < figures[0]["loss"]
        assert figures[-1].get("skipped", 0) == 0


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["toy", "lora"])
def test_each_process_holds_about_half(home: Path, variant: str):
    each = [json.loads((home / variant / "two" / f"held{rank}.json").read_text()) for rank in range(2)]
    assert set(each[0]) == {"parameters", "average", "gradients", "moments"}
    for kind, (own, total) in each[0].items():
        assert own + each[1][kind][0] == total > 0
        assert own == pytest.approx(total / 2, rel=0.2)  # an odd row goes to the first


@pytest.mark.slow
def test_a_run_that_was_left_goes_on_to_the_same(home: Path):
    """With as many processes, to the last bit: with dropout, dropped layers, mixup and bfloat16."""
    assert load_checkpoint(home / "random" / "two" / "best.safetensors")[1]["step"] > 0
    assert_same(home / "random" / "left", home / "random" / "two", {"atol": 0, "rtol": 0})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["moved", "back"])
def test_a_run_goes_on_with_another_number_of_processes(home: Path, name: str):
    """From one to two slices and from two to one: a checkpoint has no slices."""
    assert_same(home / "toy" / name, home / "toy" / "one", NEAR)


@pytest.mark.slow
def test_all_processes_drop_the_same_layers(home: Path):
    """What a step dropped has no gradient and is not moved; a layer that one process alone dropped would have
    kept the other waiting."""
    tensors, state = load_checkpoint(home / "random" / "two" / "checkpoint.safetensors")
    counts = {int(tensor) for key, tensor in tensors.items() if key.endswith(".step")}
    assert max(counts) == state["step"] > min(counts)


def test_an_encoder_without_layers_is_refused():
    with pytest.raises(RecipeError, match=r"training\.parallel.*'ddp'"):
        shard(torch.nn.Linear(2, 2), None)
