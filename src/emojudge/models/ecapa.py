"""ECAPA-TDNN on the true length of each utterance, up to the frames that its own pooling would read.

Source: Desplanques et al. 2020, with the layers, names and features of SpeechBrain's implementation, whose
published weights are read. SpeechBrain itself is not used: in a batch its convolutions see the padding behind
a shorter item, so that the item's frames depend on what it is batched with; and it imports torchaudio, which
does not load beside every torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from emojudge.errors import RecipeError
from emojudge.models.padding import length_mask
from emojudge.models.pretrained import pretrained_tensors
from emojudge.models.spectrogram import FilterBank

FILES = ("embedding_model.safetensors", "embedding_model.ckpt")  # as SpeechBrain names its encoder's weights
DILATIONS = (1, 2, 3, 4)  # of the blocks; weights do not tell


class Convolution(nn.Module):
    """A convolution that gives as many frames as it takes, each item mirrored at its own ends."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation)
        self._beyond = dilation * (kernel - 1) // 2

    def forward(self, hidden: Tensor, frames: Tensor) -> Tensor:
        """`(batch, channels, frames)`, `(batch,)`."""
        if self._beyond:
            last = frames[:, None] - 1
            length = hidden.shape[2] + 2 * self._beyond
            position = (torch.arange(length, device=hidden.device) - self._beyond).abs()[None]
            position = torch.minimum(position, 2 * last - position).clamp(min=0)
            position = torch.minimum(position, last)  # of items shorter than the kernel
            hidden = hidden.gather(2, position[:, None].expand(-1, hidden.shape[1], -1))
        convolved: Tensor = self.conv(hidden)
        return convolved


class Normalisation(nn.Module):
    """Batch normalisation whose statistics in training are of true frames alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, hidden: Tensor, frames: Tensor) -> Tensor:
        if not self.training:
            normal: Tensor = self.norm(hidden)
            return normal
        mask = length_mask(frames, hidden.shape[2])
        across = hidden.transpose(1, 2)
        return (
            torch.zeros_like(across).masked_scatter(mask[:, :, None], self.norm(across[mask])).transpose(1, 2)
        )


class Layer(nn.Module):
    """Convolution, ReLU, normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = Convolution(inputs, outputs, kernel, dilation)
        self.norm = Normalisation(outputs)

    def forward(self, hidden: Tensor, frames: Tensor) -> Tensor:
        normal: Tensor = self.norm(self.conv(hidden, frames).relu(), frames)
        return normal


class Scales(nn.Module):
    """Res2Net: the channels in groups, each group's layer reading the one before it too."""

    def __init__(self, channels: int, scale: int, kernel: int, dilation: int) -> None:
        super().__init__()
        width = channels // scale
        self.blocks = nn.ModuleList(Layer(width, width, kernel, dilation) for _ in range(scale - 1))

    def forward(self, hidden: Tensor, frames: Tensor) -> Tensor:
        first, *others = hidden.chunk(len(self.blocks) + 1, dim=1)
        groups = [first]
        for number, (layer, group) in enumerate(zip(self.blocks, others, strict=True)):
            groups.append(layer(group + groups[-1] if number else group, frames))
        return torch.cat(groups, dim=1)


class Excitation(nn.Module):
    """Squeeze and excitation: channels weighed by their means over the item's true frames."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Convolution(channels, squeezed), Convolution(squeezed, channels)

    def forward(self, hidden: Tensor, frames: Tensor) -> Tensor:
        mask = length_mask(frames, hidden.shape[2])[:, None, :]
        mean = hidden.masked_fill(~mask, 0.0).sum(dim=2, keepdim=True) / frames[:, None, None]
        squeezed = self.conv1(mean, frames).relu()
        weights: Tensor = self.conv2(squeezed, frames).sigmoid()
        return hidden * weights


class Block(nn.Module):
    """SE-Res2Net with a residual connection."""

    def __init__(self, channels: int, scale: int, squeezed: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.tdnn1, self.tdnn2 = Layer(channels, channels), Layer(channels, channels)
        self.res2net_block = Scales(channels, scale, kernel, dilation)
        self.se_block = Excitation(channels, squeezed)

    def forward(self, hidden: Tensor, frames: Tensor) -> Tensor:
        inner = self.tdnn2(self.res2net_block(self.tdnn1(hidden, frames), frames), frames)
        excited: Tensor = self.se_block(inner, frames)
        return hidden + excited


class EcapaEncoder(nn.Module):
    """Filter bank `(batch, mels, frames)` to frames `(batch, features, frames)`; SpeechBrain's names."""

    def __init__(
        self, mels: int = 80, channels: int = 1024, features: int = 3072, scale: int = 8, squeezed: int = 128,
        kernels: tuple[int, ...] = (5, 3, 3, 3),
    ) -> None:  # fmt: skip
        super().__init__()
        self.sizes = {"mels": mels, "channels": channels, "features": features, "scale": scale,
                      "squeezed": squeezed, "kernels": kernels}  # fmt: skip
        first, *others = zip(kernels, DILATIONS, strict=True)
        blocks = [Block(channels, scale, squeezed, *sizes) for sizes in others]
        self.blocks = nn.ModuleList([Layer(mels, channels, *first), *blocks])
        self.mfa = Layer(channels * len(blocks), features)

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The encoder whose weights these are, of the sizes that they have.

        Raises:
            KeyError, RuntimeError: tensors that are missing, or do not fit.
        """
        kernels = [tensors["blocks.0.conv.conv.weight"]]
        inner = "blocks.{}.res2net_block.blocks.0.conv.conv.weight"
        kernels += [tensors[inner.format(at)] for at in range(1, len(DILATIONS))]
        channels, mels, _ = kernels[0].shape
        made = cls(
            mels,
            channels,
            features=len(tensors["mfa.conv.conv.weight"]),
            scale=channels // len(kernels[1]),
            squeezed=len(tensors["blocks.1.se_block.conv1.conv.weight"]),
            kernels=tuple(kernel.shape[2] for kernel in kernels),
        )
        wanted = made.state_dict()
        made.load_state_dict({name: tensors[name] for name in wanted})
        return made

    def forward(self, features: Tensor, frames: Tensor) -> Tensor:
        hidden = features
        states: list[Tensor] = []
        for block in self.blocks:
            hidden = block(hidden, frames)
            states.append(hidden)
        aggregated: Tensor = self.mfa(torch.cat(states[1:], dim=1), frames)
        return aggregated


class EcapaBackbone(nn.Module):
    """Waveforms to the frames of ECAPA-TDNN, one per 10 ms; its own pooling is left out for the model's."""

    kind = "ecapa"

    def __init__(self, encoder: EcapaEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        first: Any = encoder.blocks[0]
        self.filter_bank = FilterBank(first.conv.conv.in_channels)
        self.features: int = encoder.mfa.conv.conv.out_channels

    @classmethod
    def from_pretrained(cls, name: str, layers: int | None = None, last: int = 1) -> Self:
        """Load SpeechBrain's weights from a local folder, or from the Hub by name; its YAML is not run.

        Raises:
            RecipeError: no weights, weights of something else, or layers to cut, which aggregation needs all.
        """
        if layers is not None or last > 1:
            raise RecipeError(
                "backbone.layers" if layers is not None else "backbone.last",
                found="some of the layers of 'ecapa'",
                expected="all: its frames are made of all of them",
            )
        tensors = pretrained_tensors(name, FILES)
        try:
            return cls(EcapaEncoder.of(tensors))
        except (KeyError, RuntimeError, ValueError) as error:
            reason = str(error).strip("'").splitlines()[0]
            raise RecipeError(
                "backbone.weights", found=f"{name!r}: {reason}", expected="the weights of an ECAPA-TDNN"
            ) from error

    def freeze(self, layers: int) -> None:
        """Stop training the first `layers` blocks; with all of them, the aggregation too."""
        for block in self.encoder.blocks[:layers]:
            block.requires_grad_(False)
        if layers >= len(self.encoder.blocks):
            self.encoder.requires_grad_(False)

    def frames(self, lengths: Tensor) -> Tensor:
        """Hidden frames of items of `lengths` samples, `(batch,)`."""
        return FilterBank.frames(lengths)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        """`(batch, samples)`, `(batch,)` to `(batch, frames, features)`."""
        features, _ = self.filter_bank(waveforms, lengths)
        hidden: Tensor = self.encoder(features, self.frames(lengths))
        return hidden.transpose(1, 2)


def published_folder(encoder: EcapaEncoder, folder: Path) -> None:
    """Write an encoder as `EcapaBackbone.from_pretrained` reads it."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file(encoder.state_dict(), folder / FILES[0])
