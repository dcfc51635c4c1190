"""Recordings as the frames of a frozen backbone: encoded once, before training, and read from disk since."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from emojudge.progress import Progress, untold
from emojudge.training.batching import sorted_batches
from emojudge.training.data import AudioData, collate
from emojudge.training.rows import Rows, stored

Encode = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # as `AcousticModel.encode`
BATCH = 8  # clips that are encoded together
WORKERS = 2  # processes that decode and augment meanwhile


class FrameData:
    """Clips as hidden frames, each in one or more views: as it is, and augmented.

    A seed draws one of an item's views, so that most epochs meet another version of a clip; without a seed it
    is the clip as it is. Sizes are in frames.

    Args:
        clips, views: groups of clips and each group's views.
        order: the items' order `(items,)`, as positions in the groups one after the other.
    """

    def __init__(
        self,
        clips: Sequence[AudioData],
        views: Sequence[Sequence[Rows]],
        order: NDArray[np.int64],
    ) -> None:
        self.emotions = np.concatenate([c.emotions for c in clips])[order]
        self.attributes = np.concatenate([c.attributes for c in clips])[order]
        self.choices = np.concatenate([c.choices for c in clips])[order]
        self.auxiliary = np.concatenate([c.auxiliary for c in clips])[order]
        self.sizes = np.concatenate([group[0].counts for group in views])[order]
        items = [(group, row) for group in views for row in range(len(group[0].counts))]
        self._items = [items[at] for at in order]

    def subset(self, rows: NDArray[np.int64], choices: NDArray[np.bool_]) -> "FrameData":
        """These items alone, in this order, whose labels could be any of `choices` `(8,)`: a fold."""
        chosen = copy.copy(self)
        chosen.emotions, chosen.attributes = self.emotions[rows], self.attributes[rows]
        chosen.sizes, chosen.choices = self.sizes[rows], np.tile(choices, (len(rows), 1))
        chosen.auxiliary = self.auxiliary[rows]
        chosen._items = [self._items[row] for row in rows]
        return chosen

    def inputs(self, indices: NDArray[np.int64], seed: int | None) -> list[NDArray[np.generic]]:
        generator = None if seed is None else np.random.default_rng(seed)
        arrays: list[NDArray[np.generic]] = []
        for index in indices:
            views, row = self._items[int(index)]
            view = views[0 if generator is None else int(generator.integers(len(views)))]
            arrays.append(view[row].astype(np.float32))
        return arrays


def encode_views(
    clips: AudioData,
    views: int,
    encode: Encode,
    folder: Path,
    key: str,
    progress: Progress = untold,
) -> list[Rows]:
    """The clips' frames as they are and, from the second view on, augmented; what is on disk is not redone.

    Args:
        clips: recordings, which augment when a seed is given.
        views: how many, at least 1.
        folder: where the files lie, two a view; they may be deleted when nobody trains on them any more.
        key: names whatever the frames depend on: clips, backbone, normalisation.
    """
    made = []
    for view in range(views):
        name = hashlib.sha256(json.dumps([key, view]).encode()).hexdigest()[:24]
        made.append(
            stored(
                folder / f"{name}.f16", len(clips.sizes), np.float16,
                partial(_encoded, clips, view or None, encode, progress),
            )
        )  # fmt: skip
    return made


def _encoded(
    clips: AudioData, seed: int | None, encode: Encode, progress: Progress
) -> Iterator[tuple[int, NDArray[np.generic]]]:
    order = list(sorted_batches(clips.sizes, BATCH))
    loader = DataLoader(_Batches(clips, order, seed), batch_size=None, num_workers=WORKERS)
    with torch.inference_mode():
        for done, (indices, (waveforms, lengths)) in enumerate(zip(order, loader, strict=True)):
            hidden, frames = encode(waveforms, lengths)
            for item, states, count in zip(indices, hidden, frames.tolist(), strict=True):
                yield int(item), states[:count].half().numpy()
            progress(done + 1, len(order), f"encoding, version {seed or 0} of the clips")


class _Batches(Dataset[tuple[Tensor, Tensor]]):
    """Padded waveforms and their lengths, batch by batch."""

    def __init__(self, clips: AudioData, order: list[NDArray[np.int64]], seed: int | None) -> None:
        self._clips, self._order, self._seed = clips, order, seed

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, at: int) -> tuple[Tensor, Tensor]:
        batch = collate(self._clips, self._order[at], self._seed)
        return batch.inputs, batch.lengths
