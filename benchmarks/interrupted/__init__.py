"""Trainings killed by force three times and resumed, against the same ones left alone, on real speech.

    python -m benchmarks interrupted --corpora DIR --weights DIR [--most 10]

`--weights` holds `whisper-base-encoder` and `all-MiniLM-L6-v2`; `--corpora` what `as_msp` takes. Each process
is a real `emojudge train`, killed by SIGKILL a little after a checkpoint, so that steps are lost and
done again. Every figure of every epoch is compared, and the parameters that are kept, to the last bit.
"""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchmarks import as_msp

RECIPES = Path(__file__).parent
NAMES = ("whisper-base", "minilm")
KILLS = (1, 2, 1)  # checkpoints that each of the processes may write
LATER = 0.7  # seconds after the last of them
MOST = 10  # clips of an emotion in a split
PROGRAM = "from emojudge.cli.main import main; main()"


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """By recipe: how often it was killed, and whether it came to the same."""
    if arguments.corpora is None or arguments.weights is None:
        raise SystemExit("interrupted needs --corpora and --weights")
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary)
        arguments.output, arguments.most = data / "msp", arguments.most or MOST
        as_msp.run(arguments)
        return {name: _compared(name, data, arguments.weights.resolve()) for name in NAMES}


def _compared(name: str, data: Path, weights: Path) -> dict[str, Any]:
    alone, killed = data / name / "alone", data / name / "killed"
    expected = _trained(name, data, weights, alone)
    kills = [_killed(name, data, weights, killed, checkpoints) for checkpoints in KILLS]
    found = _trained(name, data, weights, killed)
    first, second = (load_file(run / "best.safetensors") for run in (alone, killed))
    figures = {
        "kills_at_step": kills,
        "epochs": len(_epochs(alone)),
        "steps": int(_epochs(alone)[-1]["step"]),
        "metrics_alone": expected,
        "metrics_killed": found,
        "same_metrics": expected == found and _epochs(alone) == _epochs(killed),
        "same_parameters": first.keys() == second.keys()
        and all(map(torch.equal, first.values(), second.values())),
    }
    print(name, figures, file=sys.stderr)
    return figures


def _command(name: str, data: Path, weights: Path, folder: Path) -> list[str]:
    options = ["--data", data, "--weights", weights, "--output", folder, "--format", "json"]
    return [sys.executable, "-c", PROGRAM, "train", *map(str, [RECIPES / f"{name}.yaml", *options])]


def _trained(name: str, data: Path, weights: Path, folder: Path) -> dict[str, float]:
    done = subprocess.run(_command(name, data, weights, folder), stdout=subprocess.PIPE, check=True)
    metrics: dict[str, float] = json.loads(done.stdout)
    return metrics


def _killed(name: str, data: Path, weights: Path, folder: Path, checkpoints: int) -> int:
    """Kill a training after so many new checkpoints; the step of the last one that it left."""
    path = folder / "checkpoint.safetensors"
    process = subprocess.Popen(_command(name, data, weights, folder), stdout=subprocess.DEVNULL)
    seen = {_written(path)}
    while len(seen) <= checkpoints:
        if process.poll() is not None:
            raise SystemExit(f"{name}: the training ended before it was killed")
        time.sleep(0.05)
        seen.add(_written(path))
    time.sleep(LATER)
    os.kill(process.pid, signal.SIGKILL)
    if process.wait() != -signal.SIGKILL:
        raise SystemExit(f"{name}: the training ended before it was killed")
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return int(json.loads(header["__metadata__"]["state"])["step"])


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _epochs(folder: Path) -> list[dict[str, str]]:
    """Every epoch's figures but the time it took."""
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]
