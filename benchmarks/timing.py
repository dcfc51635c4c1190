"""Time a call: the median of several runs."""

import statistics
import time
from collections.abc import Callable

REPEATS = 5


def median_seconds(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """The median time of REPEATS runs: by the wall, or by `time.process_time`, whatever else is running."""
    times = []
    for _ in range(REPEATS):
        at = clock()
        call()
        times.append(clock() - at)
    return statistics.median(times)
