"""What a model makes of data, without training it: outputs and pooled features in the items' order."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emojudge.bundle.batches import in_order
from emojudge.models.acoustic import AcousticModel
from emojudge.training.batching import sorted_batches
from emojudge.training.data import Data, collate
from emojudge.training.ranks import Ranks

BATCH_SIZE = 32


def outputs(
    model: nn.Module,
    data: Data,
    seed: int | None = None,
    batch_size: int = BATCH_SIZE,
    ranks: Ranks | None = None,
) -> NDArray[np.float32]:
    """`(items, outputs)`, of augmented items when a seed is given, of a model in eval mode, where it is.

    With `ranks`, the processes share the batches, and all get all of it.
    """
    device = next(model.parameters()).device

    def run(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        batch = collate(data, indices, seed)
        logits = model(batch.inputs.to(device), batch.lengths.to(device))
        given: NDArray[np.float32] = logits.float().cpu().numpy()
        return given

    batches = list(sorted_batches(data.sizes, batch_size))
    with torch.no_grad():
        if ranks is None:
            return in_order(batches, run)
        shares = zip(*ranks.share(len(batches)), strict=True)  # all run as many, as slices of a model need it
        own = [(batches[at], run(batches[at]), counts) for at, counts in shares]
        made = [(batch, part) for batch, part, counts in ranks.collect(own) if counts]
    values = iter([part for _, part in made])
    return in_order([batch for batch, _ in made], lambda _: next(values))


def embeddings(model: AcousticModel, data: Data) -> NDArray[np.float32]:
    """Pooled features `(items, features)`."""

    class Embedding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
            return self.model.embed(inputs, lengths)

    model.eval()
    return outputs(Embedding(), data)
