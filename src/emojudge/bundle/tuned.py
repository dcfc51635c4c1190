"""What was found to be the quickest way to run a bundle here: kept in the user's cache folder, by its hash.

What was found with another processor, another number of cores, or another version of the engines is stale,
and treated as if it were not there.
"""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from emojudge.bundle.engines import DEFAULT
from emojudge.bundle.format import MANIFEST, Bundle, file_hash
from emojudge.errors import BundleError
from emojudge.files import write_whole
from emojudge.records import Record

Weights = Literal["own", "int8"]  # as the bundle has them, or made 8-bit integers
VERSIONS = ("emojudge", "onnxruntime", "openvino", "torch")


class Way(Record):
    """A way to run a bundle's models."""

    engine: str = DEFAULT
    weights: Weights = "own"
    threads: int = Field(ge=1)


class Tuned(Record):
    """What a tuning found."""

    machine: dict[str, str]
    date: str
    utterances: int  # that it was measured on
    ways: tuple[Way, ...] = Field(min_length=1)  # the quickest first, one for each number of threads


def as_tuned(bundle: Bundle, threads: int) -> tuple[Bundle, str, int]:
    """The bundle, engine and threads that were found quickest; the bundle as it is where nothing was.

    Args:
        threads: as somebody chose them, which stays so; 0 for those that were found.
    """
    tuned = remembered(bundle)
    fitting = [way for way in tuned.ways if threads in (0, way.threads)] if tuned else []
    if not fitting:
        return bundle, DEFAULT, threads
    way = fitting[0]
    if way.weights == "int8":
        try:
            bundle = Bundle.open(int8_folder(bundle))
        except BundleError:  # somebody cleaned up
            return bundle, DEFAULT, threads
    return bundle, way.engine, way.threads


def remembered(bundle: Bundle) -> Tuned | None:
    """What was found for this bundle; None where nothing was, or not by this machine as it is."""
    try:
        tuned = Tuned.model_validate_json(record(bundle).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    return tuned if tuned.machine == machine() else None


def remember(bundle: Bundle, tuned: Tuned) -> None:
    """Keep what was found, in the place of what was found before."""
    path = record(bundle)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, tuned.model_dump_json(indent=1) + "\n")


def forget(bundle: Bundle) -> bool:
    """Delete what was found, and the 8-bit copy; whether there was anything."""
    there = record(bundle).exists()
    record(bundle).unlink(missing_ok=True)
    shutil.rmtree(int8_folder(bundle), ignore_errors=True)
    return there


def record(bundle: Bundle) -> Path:
    """The file for this bundle: `emojudge/engines/HASH.json` in the user's cache folder."""
    # Not Path.home(), which is an error for an account without one.
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    digest = file_hash(bundle.folder / MANIFEST)  # it holds the files' hashes
    return home / "emojudge" / "engines" / f"{digest[:32]}.json"


def int8_folder(bundle: Bundle) -> Path:
    """Where a tuning writes the copy of the bundle with 8-bit weights."""
    return record(bundle).with_suffix(".int8")


def machine() -> dict[str, str]:
    """What the times depend on: processor, cores, versions of what computes."""
    found = {"processor": _processor(), "cores": str(os.cpu_count())}
    for package in VERSIONS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
