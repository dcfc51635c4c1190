"""What a model makes of data, without training it: outputs and pooled features in the items' order."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emojudge.bundle.batches import in_order
from emojudge.models.acoustic import AcousticModel
from emojudge.training.batching import sorted_batches
from emojudge.training.data import Data, collate

BATCH_SIZE = 32


def outputs(
    model: nn.Module, data: Data, seed: int | None = None, batch_size: int = BATCH_SIZE
) -> NDArray[np.float32]:
    """`(items, outputs)`, of augmented items when a seed is given, of a model in eval mode, where it is."""
    device = next(model.parameters()).device

    def run(indices: NDArray[np.int64]) -> NDArray[np.float32]:
        batch = collate(data, indices, seed)
        logits = model(batch.inputs.to(device), batch.lengths.to(device))
        given: NDArray[np.float32] = logits.float().cpu().numpy()
        return given

    with torch.no_grad():
        return in_order(sorted_batches(data.sizes, batch_size), run)


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
