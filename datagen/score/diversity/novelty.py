"""Diversity of vectors: NovelSum and the Vendi score. Pure numpy; cost O(n^2 d), so call them on samples of equal size."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
NEIGHBOURS = 10
"""K of the density factor; 10 and the powers 1 and 0.5 are the paper's choice."""
_TINY = 1e-9


def novel_sum(vectors: npt.NDArray[np.floating], *, distance_power: float = 1.0, density_power: float = 0.5) -> float:
    """Return NovelSum divided by its largest possible weight: the mean novelty of a row. Range [0, inf); larger is more varied.

    Novelty of row i is the average over the others j of ``density(j)^b * distance(i, j)``, weighted by ``1 / rank^a`` of j among i's
    neighbours (a = ``distance_power``, b = ``density_power``); distance is 1 - cosine, density the inverse of the sum of the distances to
    the ten nearest neighbours. Comparable only between sets of equal size in one space.

    Source: Yang et al., "Measuring Data Diversity for Instruction Tuning", ACL 2025, arXiv 2502.17184, section 3. Differences: the set
    itself takes the place of the paper's reference data for densities, and weights are normalised so that n drops out of the scale.
    """
    n = len(vectors)
    if n < 2:
        return 0.0
    distances = cosine_distances(vectors)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, : n - 1]
    ranked = np.take_along_axis(distances, order, axis=1)
    density = 1.0 / (ranked[:, :NEIGHBOURS].sum(axis=1) + _TINY)
    weights = np.arange(1, n, dtype=np.float64) ** -distance_power
    novelty = (ranked * density[order] ** density_power * weights).sum(axis=1) / weights.sum()
    return float(novelty.mean())


def vendi_score(vectors: npt.NDArray[np.floating]) -> float:
    """Return the Vendi score: the exponential of the entropy of the eigenvalues of K / n, K the cosine similarities. Range [1, n].

    It reads as the effective number of different rows.
    Source: Friedman and Dieng, "The Vendi Score", TMLR 2023, arXiv 2210.02410, definition 3.1.
    """
    n = len(vectors)
    if n == 0:
        return 0.0
    unit = _unit(vectors)
    # The dual form has the same eigenvalues: d x d instead of n x n.
    values = np.linalg.eigvalsh(unit.T @ unit / n if unit.shape[1] < n else unit @ unit.T / n)
    values = values[values > _TINY]
    return float(np.exp(-(values * np.log(values)).sum()))


def local_density(vectors: npt.NDArray[np.floating]) -> Floats:
    """Return each row's density: the inverse of the sum of the distances to its ten nearest neighbours, float64 of shape (n,)."""
    distances = cosine_distances(vectors)
    np.fill_diagonal(distances, np.inf)
    near = np.sort(distances, axis=1)[:, : min(NEIGHBOURS, len(vectors) - 1)]
    return 1.0 / (near.sum(axis=1) + _TINY)


def cosine_distances(vectors: npt.NDArray[np.floating]) -> Floats:
    """Return 1 - cosine of all pairs, float64 of shape (n, n), clipped to [0, 2]."""
    unit = _unit(vectors)
    return np.clip(1.0 - unit @ unit.T, 0.0, 2.0)


def _unit(vectors: npt.NDArray[np.floating]) -> Floats:
    wide = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(lengths > 1e-12, lengths, 1.0)
