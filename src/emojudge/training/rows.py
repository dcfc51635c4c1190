"""Arrays of many items in one memory-mapped file: read again in every epoch, and never all held at once."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emojudge.files import whole
from emojudge.training.checkpoint import writing


@dataclass(frozen=True)
class Rows:
    """All items' values `(positions, …)` in one file, and where each item's are."""

    values: NDArray[np.generic]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    def __getitem__(self, row: int) -> NDArray[np.generic]:
        return self.values[self.starts[row] : self.starts[row] + self.counts[row]]


def stored(
    values: Path,
    items: int,
    kind: type[np.generic],
    make: Callable[[], Iterable[tuple[int, NDArray[np.generic]]]],
) -> Rows:
    """What is on disk, or what `make` gives, which is written: items' row numbers and arrays, in any order.

    Args:
        values: the file; an index lies beside it.
        items: how many there are; `make` gives each once.
        kind: the type of the numbers on disk.

    Raises:
        TrainingError: the disk is full, or cannot be written on.
    """
    index = values.with_suffix(".index.npy")
    if not index.exists():  # it is written last: without it, the values are not complete
        values.parent.mkdir(parents=True, exist_ok=True)
        with writing(values):
            _write(values, index, items, kind, make())
    starts, counts, width = np.load(index, allow_pickle=False)
    shape = (int(counts.sum()), *([int(width[0])] if width[0] else []))
    return Rows(np.memmap(values, dtype=kind, mode="r", shape=shape), starts, counts)


def _write(
    values: Path,
    index: Path,
    items: int,
    kind: type[np.generic],
    rows: Iterable[tuple[int, NDArray[np.generic]]],
) -> None:
    starts, counts = np.zeros((2, items), dtype=np.int64)
    at, width = 0, 0
    with values.open("wb") as file:
        for row, array in rows:
            file.write(array.astype(kind, copy=False).tobytes())
            starts[row], counts[row] = at, len(array)
            at += len(array)
            width = array.shape[1] if array.ndim > 1 else 0
        file.flush()
        os.fsync(file.fileno())
    with whole(index) as temporary, temporary.open("wb") as file:
        np.save(file, np.stack([starts, counts, np.full_like(counts, width)]))
