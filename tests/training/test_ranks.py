"""Two processes share a training as one alone would run it: torchrun's, with gloo, on this processor."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("accelerate", reason="needs the extra 'train'")

from emojudge.training.checkpoint import load_checkpoint  # noqa: E402
from emojudge.training.ranks import Ranks  # noqa: E402

SCRIPT = Path(__file__).with_name("ranks_script.py")


def run(folder: Path, processes: int, *more: str) -> int:
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    done = subprocess.run(
        [sys.executable, *(torchrun if processes > 1 else []), str(SCRIPT), str(folder), *more],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert more or done.returncode == 0, done.stderr[-3000:]
    return done.returncode


def rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("items", [1, 2, 7, 12])
def test_every_item_counts_once(monkeypatch: pytest.MonkeyPatch, size: int, items: int):
    """And all processes have as many, or one would wait for another for ever."""
    shares = []
    ranks = Ranks()
    for ranks.rank in range(size):
        ranks.size = size
        places, counts = ranks.share(items)
        shares.append((len(places), places[counts].tolist()))
    assert len({length for length, _ in shares}) == 1
    assert sorted(place for _, own in shares for place in own) == list(range(items))


@pytest.mark.slow
def test_two_processes_come_to_what_one_does(tmp_path: Path):
    """The same parameters and figures but for rounding: losses, CCC over the whole batch, penalty, clipping,
    batches that do not divide, parameters without a gradient; also when both are killed in between."""
    run(tmp_path / "one", 1)
    run(tmp_path / "two", 2)
    assert run(tmp_path / "killed", 2, "7") != 0
    assert load_checkpoint(tmp_path / "killed" / "checkpoint.safetensors")[1]["step"] in (6, 7)
    run(tmp_path / "killed", 2)
    one = load_checkpoint(tmp_path / "one" / "best.safetensors")
    assert one[1]["epoch"] > 1  # something was learnt
    for name in ("two", "killed"):
        tensors, told = load_checkpoint(tmp_path / name / "best.safetensors")
        assert told["epoch"] == one[1]["epoch"]
        for key, tensor in one[0].items():
            torch.testing.assert_close(tensors[key], tensor, atol=2e-5, rtol=1e-4, msg=f"{name}: {key}")
        for ours, theirs in zip(rows(tmp_path / name), rows(tmp_path / "one"), strict=True):
            assert ours == pytest.approx(theirs, abs=1e-3)
    two, killed = (rows(tmp_path / name) for name in ("two", "killed"))
    assert two == killed  # with as many processes, to the last bit
    assert two[-1]["loss"] < two[0]["loss"]
