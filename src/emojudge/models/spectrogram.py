"""Waveform to log-mel spectrogram, inside the model, so that an exported model takes samples."""

import math

import torch
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from emojudge.models.padding import length_mask
from emojudge.models.precision import in_float32

SAMPLE_RATE = 16_000  # Hz
WINDOW = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
DYNAMIC_RANGE_DB = 80.0  # under the loudest bin of the utterance that are kept


def fourier_basis(window: Tensor) -> Tensor:
    """The windowed Fourier basis `(2 * bins, 1, WINDOW)` of a float64 window: cosines, then sines."""
    # In float64 and within one turn: float32 has no digits left behind the point at 1000 radians.
    turns = (torch.arange(WINDOW // 2 + 1)[:, None] * torch.arange(WINDOW)[None, :]) % WINDOW
    angles = 2 * torch.pi * turns.double() / WINDOW
    return torch.cat([torch.cos(angles) * window, torch.sin(angles) * window])[:, None, :].float()


@in_float32  # quiet bins lie 80 dB under loud ones, and bfloat16's digits end after 48
def filtered_power(padded: Tensor, basis: Tensor, filters: Tensor) -> Tensor:
    """`(batch, samples)` to the power behind every filter and hop `(batch, mels, frames)`."""
    cosine, sine = nn.functional.conv1d(padded[:, None, :], basis, stride=HOP).chunk(2, dim=1)
    return filters.T @ (cosine.square() + sine.square())


class LogMel(nn.Module):
    """Whisper's log-mel spectrogram over the true length of every item of a padded batch.

    The short-time Fourier transform is a convolution with a windowed Fourier basis: the same numbers as
    an FFT, and a plain operator for every inference engine. Source: Radford et al. 2022, section 2.2.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, mels: int = 80, dynamic_range_db: float = DYNAMIC_RANGE_DB) -> None:
        super().__init__()
        self.dynamic_range_db = dynamic_range_db
        basis = fourier_basis(torch.hann_window(WINDOW, periodic=True, dtype=torch.float64))
        filters = mel_filter_bank(
            WINDOW // 2 + 1, mels, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)

    @staticmethod
    def frames(lengths: Tensor) -> Tensor:
        """Spectrogram frames of items of `lengths` samples, `(batch,)`."""
        return torch.div(lengths, HOP, rounding_mode="floor").clamp(min=1)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, samples)` and `(batch,)` to `(batch, mels, frames)` and a mask `(batch, frames)`.

        Samples after an item's length must be zero. Padded frames of the spectrogram are zero.
        """
        # The start is mirrored as Whisper does it; the end is zeros, which is what Whisper's padding to
        # 30 s gives every utterance, and what a batch gives an item shorter than its longest.
        start = waveforms[:, 1 : WINDOW // 2 + 1].flip(1)
        padded = torch.cat([start, waveforms, waveforms.new_zeros(waveforms.shape[0], WINDOW // 2)], dim=1)
        power = filtered_power(padded, self.basis, self.filters)[:, :, :-1]
        mel = power.clamp(min=1e-10).log10()
        mask = length_mask(self.frames(lengths), mel.shape[2])
        loudest = mel.masked_fill(~mask[:, None, :], -torch.inf).amax(dim=(1, 2), keepdim=True)
        mel = (torch.maximum(mel, loudest - self.dynamic_range_db / 10) + 4.0) / 4.0
        return mel.masked_fill(~mask[:, None, :], 0.0), mask


class FilterBank(nn.Module):
    """SpeechBrain's log-mel filter bank with the mean of every utterance and filter taken out.

    Windows of 25 ms (Hamming) every 10 ms, the first around the first sample; triangular filters on the mel
    scale; dB, at most 80 under the utterance's loudest. Over the true length of every item of a padded batch.
    Source: `speechbrain.lobes.features.Fbank` and `InputNormalization`, what its ECAPA-TDNN was trained on.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, mels: int = 80) -> None:
        super().__init__()
        basis = fourier_basis(torch.hamming_window(WINDOW, periodic=True, dtype=torch.float64))
        top = 2595 * math.log10(1 + SAMPLE_RATE / 2 / 700)
        edges = 700 * (10 ** (torch.linspace(0, top, mels + 2, dtype=torch.float64) / 2595) - 1)  # Hz
        bins = torch.linspace(0, SAMPLE_RATE / 2, WINDOW // 2 + 1, dtype=torch.float64)
        # As wide to the right of its middle as to the left, other than triangles between neighbours.
        distance = (bins[:, None] - edges[1:-1]).abs() / (edges[1:-1] - edges[:-2])
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("filters", (1 - distance).clamp(min=0).float(), persistent=False)

    @staticmethod
    def frames(lengths: Tensor) -> Tensor:
        """Frames of items of `lengths` samples, `(batch,)`."""
        return torch.div(lengths, HOP, rounding_mode="floor") + 1

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, samples)` and `(batch,)` to `(batch, mels, frames)` and a mask `(batch, frames)`.

        Samples after an item's length must be zero. Padded frames are zero.
        """
        padded = nn.functional.pad(waveforms, (WINDOW // 2, WINDOW // 2))
        level = 10 * filtered_power(padded, self.basis, self.filters).clamp(min=1e-10).log10()
        counts = self.frames(lengths)
        mask = length_mask(counts, level.shape[2])
        there = mask[:, None, :]
        loudest = level.masked_fill(~there, -torch.inf).amax(dim=(1, 2), keepdim=True)
        level = torch.maximum(level, loudest - DYNAMIC_RANGE_DB).masked_fill(~there, 0.0)
        mean = level.sum(dim=2, keepdim=True) / counts[:, None, None]
        return (level - mean).masked_fill(~there, 0.0), mask
