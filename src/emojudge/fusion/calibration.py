"""Temperature scaling: scores whose size can be believed, without changing which emotion wins."""

import numpy as np
from numpy.typing import NDArray

TEMPERATURES = np.geomspace(0.1, 10.0, 401)


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float32]:
    """Logits `(items, classes)` to scores that sum to 1.

    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), dtype=np.float32)


def fit_temperature(
    logits: NDArray[np.floating], labels: NDArray[np.int64], weights: NDArray[np.floating] | None = None
) -> float:
    """The temperature with the least negative log-likelihood on held-out items, from a fine grid.

    Args:
        logits: `(items, classes)`.
        labels: class indices `(items,)`.
        weights: importance of each item `(items,)`, to balance collections of unequal size.

    Source: Guo et al. 2017, section 4.2.
    """
    logits = np.asarray(logits, dtype=np.float64)
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)
    losses = []
    for temperature in TEMPERATURES:
        scaled = logits / temperature
        top = scaled.max(axis=1)
        log_sum = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        losses.append(np.average(log_sum - scaled[np.arange(len(labels)), labels], weights=weights))
    return float(TEMPERATURES[int(np.argmin(losses))])
