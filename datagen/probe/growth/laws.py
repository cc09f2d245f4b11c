"""Laws for loss by number of rows, and their posterior given measured losses (numpy alone).

    power        L(n) = E + A n^-a
    rectified    L(n) = E + B / (D + n^b)
    exhausted    L(n) = E + A exp(-n / k)

The rectified law flattens below ``D^(1/b)`` rows: what pre-training already knew counts as rows. Rows made from a fixed set of documents
run out of new facts, which neither of the two can follow into its plateau: hence the third. E may be negative: over the few doublings
looked at, a loss that falls by the same amount at each one is the limit of small exponents. Source: H. Lin et al., "Selecting Large
Language Model to Fine-tune via Rectified Scaling Law", arXiv 2402.02314, equation 5; the power law: J. Hestness et al., arXiv 1712.00409.

For fixed shape parameters both are linear in two numbers, here the loss at the largest measured size and the gain over the measured range,
so shapes are taken from a fixed grid, the linear part is solved exactly, and the shape's weight is its marginal likelihood under flat
priors on those two numbers. Five sizes hardly tell the laws apart; the posterior carries that doubt into the band instead of choosing.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Law = Literal["power", "rectified", "exhausted"]
LAWS: tuple[Law, ...] = ("power", "rectified", "exhausted")

_EXPONENTS = np.geomspace(0.05, 2.0, 32)
_KNEES = np.geomspace(1 / 32, 4.0, 15)
"""Sizes, as shares of the largest measured one: below them the rectified law is flat."""
_LIFETIMES = np.geomspace(1 / 24, 16.0, 32)
"""k of the third law, as a share of the largest measured size."""


class Shape(NamedTuple):
    """One point of the grid: ``exponent`` is a or b; ``scale`` is D^(1/b) or k, as a share of the largest measured size; 0 where there
    is none."""

    law: Law
    exponent: float
    scale: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Every shape on the measured sizes.

    Attributes:
        sizes: float64 [m], rows, increasing.
        shapes: t shapes.
        columns: float64 [t, m], each shape's falling part, 0 at the largest size and 1 at the smallest.
        floors: float64 [t], value of that part as rows go to infinity (below 0).
        prior: float64 [t], sums to 1, the same for each law.
    """

    sizes: Floats
    shapes: tuple[Shape, ...]
    columns: Floats
    floors: Floats
    prior: Floats

    def at(self, rows: float) -> Floats:
        """Return float64 [t]: each shape's falling part at another number of rows."""
        return np.array([_normalised(s, self.sizes, np.array([rows]))[0] for s in self.shapes])


class Curve(NamedTuple):
    """One law with all its parameters: ``loss(n) = last + gain * part(n)``; ``limit`` is E, its loss with endless rows."""

    shape: Shape
    last: float
    gain: float
    limit: float

    def loss(self, rows: Floats, sizes: Floats) -> Floats:
        """Return float64 [k]: nats per token at ``rows``; ``sizes`` are the measured sizes the curve was fitted on."""
        return self.last + self.gain * _normalised(self.shape, sizes, rows)


def grid(sizes: Floats) -> Grid:
    """Build the grid for at least two different sizes.

    Raises:
        ValueError: fewer than two sizes, or not increasing.
    """
    if len(sizes) < 2 or not (np.diff(sizes) > 0).all():
        raise ValueError(f"sizes must increase and be at least two, got {sizes.tolist()}")
    shapes = [Shape("power", float(a), 0.0) for a in _EXPONENTS]
    shapes += [Shape("rectified", float(b), float(k)) for b in _EXPONENTS for k in _KNEES]
    shapes += [Shape("exhausted", 0.0, float(k)) for k in _LIFETIMES]
    columns = np.array([_normalised(s, sizes, sizes) for s in shapes])
    floors = np.array([_normalised(s, sizes, np.array([np.inf]))[0] for s in shapes])
    count = {law: sum(s.law == law for s in shapes) for law in LAWS}
    prior = np.array([1.0 / len(LAWS) / count[s.law] for s in shapes])
    return Grid(sizes, tuple(shapes), columns, floors, prior)


@dataclass(frozen=True, slots=True)
class Posterior:
    """What b sets of losses say about every shape.

    Attributes:
        weights: float64 [b, t], rows sum to 1.
        last: float64 [b, t], best loss at the largest size; ``gain``: the same for the gain over the measured range, at least 0.
        spread: float64 [t, 2, 2], Cholesky factor of their covariance.
        chi2: float64 [b, t], weighted squared misfit.
    """

    weights: Floats
    last: Floats
    gain: Floats
    spread: NDArray[np.floating[Any]]
    chi2: Floats


def posterior(shapes: Grid, losses: Floats, variances: Floats) -> Posterior:
    """Weigh every shape against losses.

    Args:
        losses: float64 [b, m], nats per token at each size.
        variances: float64 [m], of each loss, all > 0.
    """
    w = 1.0 / variances
    x = shapes.columns
    sw, sx, sxx = w.sum(), x @ w, (x * x) @ w
    det = np.maximum(sw * sxx - sx * sx, 1e-12 * sw * sxx)
    sy, sxy, syy = losses @ w, (losses * w) @ x.T, (losses * losses) @ w
    gain = (sw * sxy - sy[:, None] * sx) / det
    # A law that rises with more data is none of these: the nearest is flat. One whose floor is below zero is cut there.
    gain = np.maximum(gain, 0.0)
    last = (sy[:, None] - gain * sx) / sw
    chi2 = np.maximum(syy[:, None] - 2 * last * sy[:, None] - 2 * gain * sxy + last**2 * sw + 2 * last * gain * sx + gain**2 * sxx, 0.0)
    score = np.log(shapes.prior) - 0.5 * np.log(det) - 0.5 * chi2
    weights = np.exp(score - score.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    covariance = np.empty((len(x), 2, 2))
    covariance[:, 0, 0], covariance[:, 1, 1] = sxx / det, sw / det
    covariance[:, 0, 1] = covariance[:, 1, 0] = -sx / det
    return Posterior(weights, last, gain, np.linalg.cholesky(covariance), chi2)


def best(shapes: Grid, found: Posterior, law: Law) -> Curve:
    """Return the first loss set's best curve of one law."""
    allowed = np.array([s.law == law for s in shapes.shapes])
    i = int(np.argmin(np.where(allowed, found.chi2[0], np.inf)))
    last, gain = float(found.last[0, i]), float(found.gain[0, i])
    return Curve(shapes.shapes[i], last, gain, last + gain * float(shapes.floors[i]))


def _normalised(shape: Shape, sizes: Floats, rows: Floats) -> Floats:
    """Scale the falling part so that it is 1 at the smallest and 0 at the largest measured size."""
    largest = sizes[-1]
    first, last = _falling(shape, sizes[:1] / largest)[0], _falling(shape, np.ones(1))[0]
    return (_falling(shape, rows / largest) - last) / (first - last)


def _falling(shape: Shape, share: Floats) -> Floats:
    match shape.law:
        case "power":
            return share**-shape.exponent
        case "rectified":
            return 1.0 / (shape.scale**shape.exponent + share**shape.exponent)
        case "exhausted":
            return np.exp(-share / shape.scale)
