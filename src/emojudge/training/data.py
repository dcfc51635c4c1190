"""Utterances as batches of tensors: waveforms or token ids, with their targets."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from emojudge.audio.decode import SAMPLE_RATE, decode
from emojudge.audio.windows import trim
from emojudge.emotions import ATTRIBUTES, EMOTIONS, SCALE_HALF, SCALE_MIDDLE, SECONDARY, scores_in_order
from emojudge.errors import CorpusError
from emojudge.progress import Progress, untold
from emojudge.records import Utterance
from emojudge.training.augment import Augmentation
from emojudge.training.rows import Rows, stored

PCM_SCALE = 32768  # of 16-bit samples: what 1.0 is
AUXILIARY = ("female", *SECONDARY)  # the columns of `Batch.auxiliary`


@dataclass(frozen=True)
class Batch:
    """Padded inputs `(batch, samples or tokens)`, lengths `(batch,)` and targets.

    `emotions` `(batch, 8)` has a distribution per row, or zeros where the emotion is not known;
    `attributes` `(batch, 3)` is on -1..1, or NaN where not known; `choices` `(batch, 8)` is True for the
    emotions that the item's corpus has labels for (see `models.losses.focal_terms`); `auxiliary`
    `(batch, 18)` has shares on 0..1 in the order of AUXILIARY, or NaN where not known.
    """

    inputs: Tensor
    lengths: Tensor
    emotions: Tensor
    attributes: Tensor
    choices: Tensor
    auxiliary: Tensor


class Data(Protocol):
    """Items with sizes and targets that can be collated into batches."""

    sizes: NDArray[np.int64]
    emotions: NDArray[np.float32]
    attributes: NDArray[np.float32]
    choices: NDArray[np.bool_]
    auxiliary: NDArray[np.float32]

    def inputs(self, indices: NDArray[np.int64], seed: int | None) -> list[NDArray[np.generic]]:
        """The items' arrays; augmented when a seed is given."""


def targets(utterances: list[Utterance]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Emotion distributions `(items, 8)` and attributes on -1..1 `(items, 3)`; see `Batch`."""
    emotions = np.zeros((len(utterances), len(EMOTIONS)), dtype=np.float32)
    attributes = np.full((len(utterances), len(ATTRIBUTES)), np.nan, dtype=np.float32)
    for row, utterance in enumerate(utterances):
        if utterance.votes is not None:
            emotions[row] = scores_in_order({e: utterance.votes.get(e, 0.0) for e in EMOTIONS})
        elif utterance.emotion is not None:
            emotions[row, EMOTIONS.index(utterance.emotion)] = 1.0
        if utterance.attributes is not None:
            values = [getattr(utterance.attributes, name) for name in ATTRIBUTES]
            attributes[row] = (np.array(values) - SCALE_MIDDLE) / SCALE_HALF
    return emotions, attributes


def auxiliary_targets(utterances: list[Utterance]) -> NDArray[np.float32]:
    """What auxiliary heads learn, `(items, 18)`: female or not, and the share of raters who ticked each."""
    values = np.full((len(utterances), len(AUXILIARY)), np.nan, dtype=np.float32)
    for row, utterance in enumerate(utterances):
        if utterance.gender is not None:
            values[row, 0] = utterance.gender == "female"
        if utterance.secondary is not None:
            values[row, 1:] = [utterance.secondary.get(tag, 0.0) for tag in SECONDARY]
    return values


class AudioData:
    """Recordings, decoded when their batch comes; sizes in samples.

    Args:
        max_seconds: longer ones are cropped: at random where there is a seed, else from their start.
        augment: whether a seed also makes another version of them.
        trim_db: see `audio.windows.trim`.
        decoded: where 16-bit samples of all of them are kept on disk, and read from since. None: nowhere.
    """

    def __init__(
        self,
        utterances: list[Utterance],
        max_seconds: float,
        augment: bool,
        trim_db: float | None = None,
        decoded: Path | None = None,
        progress: Progress = untold,
    ) -> None:
        self._trim_db = trim_db
        self._paths = [_need_audio(u) for u in utterances]
        self._longest = int(max_seconds * SAMPLE_RATE)
        self._augmentation = Augmentation() if augment else None
        self.emotions, self.attributes = targets(utterances)
        self.auxiliary = auxiliary_targets(utterances)
        self.choices = np.ones_like(self.emotions, dtype=np.bool_)
        self._decoded: Rows | None = None
        if decoded is not None:
            self._decoded = decode_all(self._paths, decoded, progress)
            samples = self._decoded.counts.astype(np.float64)
        else:
            samples = np.array([_seconds(path) for path in self._paths]) * SAMPLE_RATE
        self.sizes = np.minimum(samples, self._longest).astype(np.int64)

    def inputs(self, indices: NDArray[np.int64], seed: int | None) -> list[NDArray[np.generic]]:
        return [self._samples(int(i), None if seed is None else _item_seed(seed, int(i))) for i in indices]

    def statistics(self) -> tuple[float, float]:
        """Mean and deviation of all samples, whole recordings, in one pass of constant memory."""
        count, total, squares = 0, 0.0, 0.0
        for index in range(len(self._paths)):
            samples = self._whole(index).astype(np.float64)
            count += len(samples)
            total += samples.sum()
            squares += np.square(samples).sum()
        mean = total / count
        return float(mean), float(np.sqrt(max(0.0, squares / count - mean**2)))

    def _samples(self, index: int, seed: int | None) -> NDArray[np.float32]:
        samples = self._whole(index)
        if self._trim_db is not None:
            samples = trim(samples, self._trim_db)
        spare = len(samples) - self._longest
        if spare > 0:
            start = 0 if seed is None else int(np.random.default_rng(seed).integers(spare))
            samples = samples[start : start + self._longest]
        if seed is None or self._augmentation is None:
            return samples
        return self._augmentation(samples, seed)

    def _whole(self, index: int) -> NDArray[np.float32]:
        if self._decoded is None:
            return decode(self._paths[index]).samples
        return self._decoded[index].astype(np.float32) / np.float32(PCM_SCALE)


def decode_all(paths: Sequence[Path], folder: Path, progress: Progress = untold) -> Rows:
    """16-bit samples of recordings at 16 kHz, `(samples,)` each, in one file on disk: 0.12 GB an hour.

    What is there is not decoded again, as long as no recording has changed since.
    """
    state = [_state(path) for path in paths]
    name = hashlib.sha256(json.dumps([state, version("emojudge")]).encode()).hexdigest()[:24]

    def make() -> Iterator[tuple[int, NDArray[np.generic]]]:
        for row, path in enumerate(paths):
            whole = np.rint(decode(path).samples * PCM_SCALE)
            yield row, whole.clip(-PCM_SCALE, PCM_SCALE - 1).astype(np.int16)
            progress(row + 1, len(paths), "decoding")

    return stored(folder / f"{name}.i16", len(paths), np.int16, make)


def _state(path: Path) -> list[str | int]:
    with contextlib.suppress(OSError):  # `decode` says what is wrong
        return [str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns]
    return [str(path)]


class TextData:
    """Transcripts as token ids; sizes in tokens."""

    def __init__(self, utterances: list[Utterance], tokenizer: Tokenizer, max_tokens: int) -> None:
        tokenizer.enable_truncation(max_tokens)
        tokenizer.no_padding()
        texts = [_need_text(u) for u in utterances]
        self._ids = [np.array(e.ids, dtype=np.int64) for e in tokenizer.encode_batch(texts)]
        self.emotions, self.attributes = targets(utterances)
        self.auxiliary = auxiliary_targets(utterances)
        self.choices = np.ones_like(self.emotions, dtype=np.bool_)
        self.sizes = np.array([len(ids) for ids in self._ids], dtype=np.int64)

    def inputs(self, indices: NDArray[np.int64], seed: int | None) -> list[NDArray[np.generic]]:
        return [self._ids[i] for i in indices]


def collate(data: Data, indices: NDArray[np.int64], seed: int | None = None) -> Batch:
    """Pad the items with zeros to the longest of them."""
    arrays = [torch.from_numpy(array) for array in data.inputs(indices, seed)]
    return Batch(
        inputs=torch.nn.utils.rnn.pad_sequence(arrays, batch_first=True),
        lengths=torch.tensor([len(array) for array in arrays]),
        emotions=torch.from_numpy(data.emotions[indices]),
        attributes=torch.from_numpy(data.attributes[indices]),
        choices=torch.from_numpy(data.choices[indices]),
        auxiliary=torch.from_numpy(data.auxiliary[indices]),
    )


def _item_seed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0])


def _seconds(path: Path) -> float:
    """Duration by the header where libsndfile knows the format, else by decoding."""
    try:
        return float(soundfile.info(str(path)).duration)
    except soundfile.LibsndfileError:
        return decode(path).seconds


def _need_audio(utterance: Utterance) -> Path:
    if utterance.audio is None:
        raise CorpusError(utterance.id, found="no audio file", expected="one, to train an acoustic model")
    return utterance.audio


def _need_text(utterance: Utterance) -> str:
    if utterance.transcript is None:
        raise CorpusError(utterance.id, found="no transcript", expected="one, to train a linguistic model")
    return utterance.transcript.text
