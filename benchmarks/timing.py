"""Time a call: the median of several runs; a command's time and memory."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

REPEATS = 5


Clock = Callable[[], float]


def median_seconds(call: Callable[[], object], clock: Clock = time.perf_counter) -> float:
    """The median time of REPEATS runs: by the wall, or by `time.process_time`, whatever else is running."""
    (median,) = in_turns(call, clock=clock)
    return median


def in_turns(*calls: Callable[[], object], clock: Clock = time.perf_counter) -> list[float]:
    """The median times of calls that take turns: a machine's pace wanders, and meets all alike."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(REPEATS):
        for call, found in zip(calls, times, strict=True):
            at = clock()
            call()
            found.append(clock() - at)
    return [statistics.median(each) for each in times]


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    wall: float  # seconds
    cpu: float  # seconds, of all its threads
    peak_mb: float  # resident, at most


_CHILD = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss]))
"""


def cost_of(command: Sequence[object]) -> Cost:
    """Run a command under a small process of its own: a child's peak begins with its parent's size."""
    run = [sys.executable, "-c", _CHILD, *map(str, command)]
    done = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=True)
    wall, cpu, peak = json.loads(done.stdout)
    return Cost(wall, cpu, peak * (1024 if sys.platform == "linux" else 1) / 1e6)
