"""Utterances as batches of tensors: waveforms or token ids, with their targets."""

from dataclasses import dataclass
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
from emojudge.emotions import ATTRIBUTES, EMOTIONS, SCALE_HALF, SCALE_MIDDLE, scores_in_order
from emojudge.errors import CorpusError
from emojudge.records import Utterance
from emojudge.training.augment import Augmentation


@dataclass(frozen=True)
class Batch:
    """Padded inputs `(batch, samples or tokens)`, lengths `(batch,)` and targets.

    `emotions` `(batch, 8)` has a distribution per row, or zeros where the emotion is not known;
    `attributes` `(batch, 3)` is on -1..1, or NaN where not known; `choices` `(batch, 8)` is True for the
    emotions that the item's corpus has labels for (see `models.losses.focal_terms`).
    """

    inputs: Tensor
    lengths: Tensor
    emotions: Tensor
    attributes: Tensor
    choices: Tensor


class Data(Protocol):
    """Items with sizes and targets that can be collated into batches."""

    sizes: NDArray[np.int64]
    emotions: NDArray[np.float32]
    attributes: NDArray[np.float32]
    choices: NDArray[np.bool_]

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


class AudioData:
    """Recordings, decoded when their batch comes; sizes in samples."""

    def __init__(
        self, utterances: list[Utterance], max_seconds: float, augment: bool, trim_db: float | None = None
    ) -> None:
        self._trim_db = trim_db
        self._paths = [_need_audio(u) for u in utterances]
        self._longest = int(max_seconds * SAMPLE_RATE)
        self._augmentation = Augmentation() if augment else None
        self.emotions, self.attributes = targets(utterances)
        self.choices = np.ones_like(self.emotions, dtype=np.bool_)
        seconds = np.array([_seconds(path) for path in self._paths])
        self.sizes = np.minimum(seconds * SAMPLE_RATE, self._longest).astype(np.int64)

    def inputs(self, indices: NDArray[np.int64], seed: int | None) -> list[NDArray[np.generic]]:
        return [self._samples(int(i), None if seed is None else _item_seed(seed, int(i))) for i in indices]

    def statistics(self) -> tuple[float, float]:
        """Mean and deviation of all samples, whole recordings, in one pass of constant memory."""
        count, total, squares = 0, 0.0, 0.0
        for path in self._paths:
            samples = decode(path).samples.astype(np.float64)
            count += len(samples)
            total += samples.sum()
            squares += np.square(samples).sum()
        mean = total / count
        return float(mean), float(np.sqrt(max(0.0, squares / count - mean**2)))

    def _samples(self, index: int, seed: int | None) -> NDArray[np.float32]:
        samples = decode(self._paths[index]).samples
        if self._trim_db is not None:
            samples = trim(samples, self._trim_db)
        spare = len(samples) - self._longest
        if spare > 0:
            start = 0 if seed is None else int(np.random.default_rng(seed).integers(spare))
            samples = samples[start : start + self._longest]
        if seed is None or self._augmentation is None:
            return samples
        return self._augmentation(samples, seed)


class TextData:
    """Transcripts as token ids; sizes in tokens."""

    def __init__(self, utterances: list[Utterance], tokenizer: Tokenizer, max_tokens: int) -> None:
        tokenizer.enable_truncation(max_tokens)
        tokenizer.no_padding()
        texts = [_need_text(u) for u in utterances]
        self._ids = [np.array(e.ids, dtype=np.int64) for e in tokenizer.encode_batch(texts)]
        self.emotions, self.attributes = targets(utterances)
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
