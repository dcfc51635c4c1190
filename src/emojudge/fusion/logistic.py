"""Late fusion: L2 logistic regression on the concatenated logits of the two models."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LogisticFusion:
    """Coefficients `(emotions, 2 * emotions)` over audio logits then text logits, and an intercept."""

    coefficients: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def __call__(self, audio: NDArray[np.floating], text: NDArray[np.floating]) -> NDArray[np.float32]:
        """Logits `(items, emotions)` of each modality to fused logits `(items, emotions)`."""
        both = np.concatenate([audio, text], axis=1)
        return np.asarray(both @ self.coefficients.T + self.intercept, dtype=np.float32)
