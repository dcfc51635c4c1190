"""Late fusion: L2 logistic regression on the concatenated logits of two models, or of more."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LogisticFusion:
    """Coefficients `(emotions, models * emotions)`, over audio logits then text logits, and an intercept."""

    coefficients: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def __call__(self, *logits: NDArray[np.floating]) -> NDArray[np.float32]:
        """Each model's logits `(items, emotions)`, as fitted, to fused logits `(items, emotions)`."""
        beside = np.concatenate(logits, axis=1)
        return np.asarray(beside @ self.coefficients.T + self.intercept, dtype=np.float32)
