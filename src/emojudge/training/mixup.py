"""Manifold mixup: the head learns from mixtures of two items' features, with mixtures of their targets."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from emojudge.recipe import MixupSettings
from emojudge.training.data import Batch


@dataclass(frozen=True)
class Mixing:
    """`share` of each item and the rest of its partner `(batch,)`."""

    share: float
    partners: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Features `(batch, features)`, mixed."""
        return self.share * features + (1.0 - self.share) * features[self.partners]

    def targets(self, batch: Batch) -> Batch:
        """The batch with mixed targets; attributes and auxiliary targets are known where both items' are.

        What either item could have been called, the mixture could.
        """
        return replace(
            batch,
            emotions=self(batch.emotions),
            attributes=self(batch.attributes),
            auxiliary=self(batch.auxiliary),
            choices=batch.choices | batch.choices[self.partners],
        )


def draw_mixing(settings: MixupSettings | None, items: int) -> Mixing | None:
    """A mixing for a batch of so many items, by torch's generator; None where it stays as it is.

    Source: Verma et al. 2019, section 2, at one layer, the features before the head; MEDUSA 2025.
    """
    if settings is None or torch.rand(()) >= settings.p:
        return None
    share = torch.distributions.Beta(settings.beta, settings.beta).sample()
    return Mixing(float(share), torch.randperm(items))
