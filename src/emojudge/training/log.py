"""What a run folder tells of its training: `metrics.csv`, an epoch a line, and `tensorboard/`."""

import contextlib
import csv
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch.utils.tensorboard import SummaryWriter

from emojudge.files import whole
from emojudge.training.checkpoint import writing


class Log:
    """Figures of a training that may have begun before: what came after the checkpoint is told again.

    Raises:
        TrainingError: the disk is full, or cannot be written on.
    """

    def __init__(self, folder: Path, epochs: int, step: int) -> None:
        self._folder, self._table = folder, folder / "metrics.csv"
        self._drop_after(epochs)
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        with contextlib.suppress(OSError) if error else writing(self._folder):
            self._writer.close()

    def scalar(self, name: str, value: float, step: int) -> None:
        """A figure of a step, for TensorBoard."""
        with writing(self._folder):
            self._writer.add_scalar(name, value, step)

    def epoch(self, row: dict[str, Any]) -> None:
        """An epoch's figures; on disk when this returns."""
        new = not self._table.exists()
        with writing(self._table), self._table.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())

    def _drop_after(self, epochs: int) -> None:
        """An epoch that was written but not checkpointed will be run, and written, again."""
        if not epochs:
            self._table.unlink(missing_ok=True)
        elif self._table.exists():
            lines = self._table.read_bytes().splitlines(keepends=True)
            with whole(self._table) as temporary:
                temporary.write_bytes(b"".join(lines[: epochs + 1]))
