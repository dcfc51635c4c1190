"""Late fusion: a linear map of two models' outputs, or of more, side by side."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LinearFusion:
    """Coefficients `(fused, all models' outputs)`, audio before text, and an intercept `(fused,)`.

    Of emotions' logits, as L2 logistic regression fits it (`fusion.fit`), or of attributes, as ridge
    regression does (`fusion.ridge`).
    """

    coefficients: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def __call__(self, *outputs: NDArray[np.floating]) -> NDArray[np.float32]:
        """Each model's outputs `(items, outputs)`, as fitted, to fused ones `(items, fused)`."""
        beside = np.concatenate(outputs, axis=1)
        return np.asarray(beside @ self.coefficients.T + self.intercept, dtype=np.float32)
