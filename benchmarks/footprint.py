"""What the plain install weighs, how long the first command takes, and how fast the audio model is."""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import cost_of, in_turns, median_seconds
from emojudge.bundle.format import Bundle
from emojudge.bundle.sessions import AcousticSession

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "two_voices.flac"
MEGABYTE = 1e6


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    bundle = Bundle.open(arguments.bundle)
    figures: dict[str, Any] = {"bundle_mb": round(_size(bundle.folder) / MEGABYTE, 1)}
    with tempfile.TemporaryDirectory() as folder:
        figures |= _install(Path(folder))
    return figures | _speed(bundle)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _install(folder: Path) -> dict[str, Any]:
    """A new environment with the plain install; then the main command, cold once and warm five times."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv/bin/pip", "install", "-q", "-c", ROOT / "constraints.txt", ROOT]
    subprocess.run(pip, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    packages = next((folder / "venv/lib").glob("python*/site-packages"))
    command = [folder / "venv/bin/emojudge", "predict", EXAMPLE, "--asr", "none", "--format", "json"]
    subprocess.run(command, check=True, capture_output=True)
    first = time.monotonic() - started
    wall = median_seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    peak = cost_of(command).peak_mb
    names = {path.name.split("-")[0].lower() for path in packages.glob("*.dist-info")}
    pip_size = _size(packages / "pip") + sum(_size(p) for p in packages.glob("pip-*"))
    return {
        "first_command_s": round(first, 1),
        "site_packages_mb": round((_size(packages) - pip_size) / MEGABYTE, 1),
        "torch_installed": "torch" in names,
        "predict_wall_s": round(wall, 2),
        "predict_peak_mb": round(peak, 0),
    }


def _speed(bundle: Bundle) -> dict[str, Any]:
    """Real-time factor on one core, and 64 clips of 2 to 6 s together against one by one."""
    generator = np.random.default_rng(0)
    clips = [
        (generator.normal(size=int(s * 16_000)) * 0.1).astype(np.float32) for s in generator.uniform(2, 6, 64)
    ]
    seconds = sum(len(clip) for clip in clips) / 16_000
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        session = AcousticSession(bundle, threads=1)
        session.embed(clips[:2])
        alone, together = in_turns(
            lambda: [session.embed([clip]) for clip in clips], lambda: session.embed(clips)
        )
    finally:
        os.sched_setaffinity(0, cores)
    return {
        "real_time_factor_one_by_one": round(alone / seconds, 4),
        "real_time_factor_batched": round(together / seconds, 4),
        "batch_speedup": round(alone / together, 2),
        "peak_mb_of_this_process": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, 0),
    }
