"""Time a call: the median of several runs."""

import statistics
import time
from collections.abc import Callable

REPEATS = 5


def median_seconds(call: Callable[[], object]) -> float:
    """The median wall time of REPEATS runs."""
    times = []
    for _ in range(REPEATS):
        at = time.perf_counter()
        call()
        times.append(time.perf_counter() - at)
    return statistics.median(times)
