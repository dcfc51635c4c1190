"""`emojudge bulk` on this machine: two workers against one, and a run that is killed three times."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pyarrow import parquet

from emojudge.corpora import load_corpus

PROGRAM = "from emojudge.cli.main import main; main()"
KILLS = 3


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    corpora = ("emodb", "ravdess", "nemo")
    paths = [u.audio for name in corpora for u in load_corpus(name, arguments.corpora / name)]
    figures: dict[str, Any] = {"recordings": len(paths)}
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.csv"
        manifest.write_text("file\n" + "".join(f"{path.absolute()}\n" for path in paths if path))
        for workers in (1, 2):
            seconds = _timed(manifest, Path(folder) / str(workers), workers)  # minutes: once
            figures[f"{workers}_workers_s"] = round(seconds, 1)
            print(workers, "workers:", figures[f"{workers}_workers_s"], "s", flush=True)
        figures["speedup"] = round(figures["1_workers_s"] / figures["2_workers_s"], 2)
        figures |= _killed(manifest, Path(folder) / "killed", len(paths))
    return figures


def _command(manifest: Path, to: Path, workers: int) -> list[str]:
    options = ["--to", str(to), "--workers", str(workers), "--part-size", "50"]
    return [sys.executable, "-c", PROGRAM, "bulk", str(manifest), *options]


def _timed(manifest: Path, to: Path, workers: int) -> float:
    """Seconds of a whole run, Ray's start and the models' included."""
    started = time.perf_counter()
    subprocess.run(_command(manifest, to, workers), check=True, capture_output=True)
    return time.perf_counter() - started


def _killed(manifest: Path, to: Path, count: int) -> dict[str, int]:
    done = to / "done"
    for kill in range(1, KILLS + 1):
        running = subprocess.Popen(
            _command(manifest, to, 2), start_new_session=True, stderr=subprocess.DEVNULL
        )
        while running.poll() is None and len([*done.glob("*.json")]) < 8 * kill:
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    subprocess.run(_command(manifest, to, 2), check=True, capture_output=True)
    tables = [parquet.read_table(to / name, columns=["id"]) for name in ("predictions", "failures")]
    names = [name for table in tables for name in table["id"].to_pylist()]
    return {"kills": KILLS, "lost": count - len(set(names)), "doubled": len(names) - len(set(names))}
