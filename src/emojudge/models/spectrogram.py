"""Waveform to log-mel spectrogram, inside the model, so that an exported model takes samples."""

import torch
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from emojudge.models.padding import length_mask

SAMPLE_RATE = 16_000  # Hz
WINDOW = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
DYNAMIC_RANGE_DB = 80.0  # under the loudest bin of the utterance that are kept


class LogMel(nn.Module):
    """Whisper's log-mel spectrogram over the true length of every item of a padded batch.

    The short-time Fourier transform is a convolution with a windowed Fourier basis: the same numbers as
    an FFT, and a plain operator for every inference engine. Source: Radford et al. 2022, section 2.2.
    """

    basis: Tensor
    filters: Tensor

    def __init__(self, mels: int = 80, dynamic_range_db: float = DYNAMIC_RANGE_DB) -> None:
        super().__init__()
        self._dynamic_range = dynamic_range_db / 10  # in log10 of the power
        # In float64 and within one turn: float32 has no digits left behind the point at 1000 radians.
        turns = (torch.arange(WINDOW // 2 + 1)[:, None] * torch.arange(WINDOW)[None, :]) % WINDOW
        angles = 2 * torch.pi * turns.double() / WINDOW
        window = torch.hann_window(WINDOW, periodic=True, dtype=torch.float64)
        basis = torch.cat([torch.cos(angles) * window, torch.sin(angles) * window])[:, None, :]
        filters = mel_filter_bank(
            WINDOW // 2 + 1, mels, 0.0, SAMPLE_RATE / 2, SAMPLE_RATE, norm="slaney", mel_scale="slaney"
        )
        self.register_buffer("basis", basis.float(), persistent=False)
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
        spectrum = nn.functional.conv1d(padded[:, None, :], self.basis, stride=HOP)[:, :, :-1]
        cosine, sine = spectrum.chunk(2, dim=1)
        power = cosine.square() + sine.square()
        mel = torch.einsum("bft,fm->bmt", power, self.filters).clamp(min=1e-10).log10()
        mask = length_mask(self.frames(lengths), mel.shape[2])
        loudest = mel.masked_fill(~mask[:, None, :], -torch.inf).amax(dim=(1, 2), keepdim=True)
        mel = (torch.maximum(mel, loudest - self._dynamic_range) + 4.0) / 4.0
        return mel.masked_fill(~mask[:, None, :], 0.0), mask
