"""The laws and their posterior on curves that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

from datagen.probe.growth.laws import LAWS, Grid, best, grid, posterior

SIZES = np.array([20.0, 40.0, 80.0, 160.0, 320.0])


@pytest.fixture(scope="module")
def shapes() -> Grid:
    return grid(SIZES)


def test_columns_run_from_one_at_the_smallest_to_zero_at_the_largest_size(shapes: Grid) -> None:
    assert np.allclose(shapes.columns[:, 0], 1)
    assert np.allclose(shapes.columns[:, -1], 0, atol=1e-12)
    assert (np.diff(shapes.columns, axis=1) <= 1e-12).all()
    assert shapes.prior.sum() == pytest.approx(1)
    for law in LAWS:
        assert shapes.prior[[s.law == law for s in shapes.shapes]].sum() == pytest.approx(1 / 3)


def test_a_power_law_is_found_with_its_limit(shapes: Grid) -> None:
    losses = 0.5 + 4 * SIZES**-0.5
    found = posterior(shapes, losses[None], np.full(5, 1e-6))
    curve = best(shapes, found, "power")
    assert curve.shape.exponent == pytest.approx(0.5, rel=0.06)
    assert curve.limit == pytest.approx(0.5, abs=0.03)
    assert curve.loss(np.array([640.0]), SIZES)[0] == pytest.approx(0.5 + 4 * 640**-0.5, abs=0.008)


def test_a_rectified_law_is_preferred_where_the_curve_starts_flat(shapes: Grid) -> None:
    losses = 1.0 + 800 / (800 + SIZES**1.5)
    found = posterior(shapes, losses[None], np.full(5, 1e-5))
    weights = {law: found.weights[0, [s.law == law for s in shapes.shapes]].sum() for law in LAWS}
    assert weights["power"] < 1e-6
    assert best(shapes, found, "rectified").loss(np.array([640.0]), SIZES)[0] == pytest.approx(1.0 + 800 / (800 + 640**1.5), abs=0.03)


@given(shift=hs.floats(0.5, 5), scale=hs.floats(0.05, 2), seed=hs.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_posterior_follows_shift_and_scale(shapes: Grid, shift: float, scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    losses = np.sort(rng.uniform(0, 1, 5))[::-1]
    one = posterior(shapes, losses[None], np.full(5, 0.01))
    two = posterior(shapes, (shift + scale * losses)[None], np.full(5, 0.01 * scale**2))
    assert np.allclose(one.weights, two.weights, atol=1e-6)
    assert np.allclose(two.gain, scale * one.gain, atol=1e-6)
    assert np.allclose(two.last, shift + scale * one.last, atol=1e-6)


def test_a_rising_curve_is_called_flat(shapes: Grid) -> None:
    found = posterior(shapes, np.array([[1.0, 1.1, 1.2, 1.3, 1.4]]), np.full(5, 1e-4))
    assert (found.gain == 0).all()
    assert np.allclose(found.last, 1.2)


def test_sizes_must_increase() -> None:
    with pytest.raises(ValueError, match="sizes must increase"):
        grid(np.array([10.0, 10.0]))
