"""Memory that a training frees is kept by the process, for its next step."""

import ctypes
import sys

# glibc's mallopt: what to set, and to what.
TRIM_THRESHOLD, NEVER = -1, -1
MMAP_MAX, NONE = -4, 0


def keep_freed_memory() -> None:
    """Have the allocator of Linux reuse large blocks instead of asking for new ones each time.

    Without it every tensor above 32 MB is mapped, faulted in page by page, zeroed, and given back, some
    thousand times a step. Elsewhere than with glibc nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(TRIM_THRESHOLD, NEVER)
        mallopt(MMAP_MAX, NONE)
