"""Unit vectors, which every embedder returns: float32 of shape (texts, dimensions)."""

from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


def normalise(vectors: npt.NDArray[Any]) -> Vectors:
    """Scale rows to length 1; zero rows stay, and so do those that only rounding keeps from zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 1e-12, length, 1)).astype(np.float32)
