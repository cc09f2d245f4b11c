"""Bands and their draws on simulated losses."""

import numpy as np
import pytest

from datagen.errors import UsageError
from datagen.probe.growth.forecast import Measured, band, forecast
from datagen.probe.growth.laws import Floats

SIZES = np.array([20.0, 40.0, 80.0, 160.0, 320.0])


def _measured(losses: Floats, *, seeds: int = 3, noise: float = 0.004, documents: int = 30, seed: int = 0) -> Measured:
    rng = np.random.default_rng(seed)
    offsets = rng.normal(0, 0.2, documents)
    runs = tuple(
        loss + offsets - offsets.mean() + rng.normal(0, noise, (seeds, 1)) + rng.normal(0, noise, (seeds, documents)) for loss in losses
    )
    return Measured(SIZES, runs, np.full(documents, 1 / documents))


def test_doubling_a_power_law_is_forecast() -> None:
    truth = 0.4 + 5 * SIZES**-0.5
    found = forecast(_measured(truth))
    gain = band(found.gain(320, 640))
    exact = 5 * 320**-0.5 - 5 * 640**-0.5
    assert gain.low < exact < gain.high
    assert gain.middle == pytest.approx(exact, rel=0.2)
    assert gain.high - gain.low < 0.08
    assert sum(found.law_weights.values()) == pytest.approx(1)


def test_a_plateau_leaves_nothing_to_gain() -> None:
    found = forecast(_measured(np.array([2.0, 1.0, 0.9, 0.9, 0.9]), noise=0.002))
    assert band(found.gain(320, 640)).high < 0.02
    assert found.law_weights["exhausted"] > 0.5


def test_the_gain_of_nothing_is_nothing_and_gains_add_up() -> None:
    found = forecast(_measured(0.4 + 5 * SIZES**-0.3))
    assert np.allclose(found.gain(320, 320), 0)
    assert np.allclose(found.gain(80, 160) + found.gain(160, 320), found.gain(80, 320))
    assert (found.gain(320, 1280) >= found.gain(320, 640) - 1e-12).all()


def test_more_seeds_narrow_what_a_probe_will_see() -> None:
    found = forecast(_measured(0.4 + 5 * SIZES**-0.5, noise=0.02))
    few, many = band(found.seen(640, 1)), band(found.seen(640, 16))
    assert few.high - few.low > many.high - many.low
    assert few.middle == pytest.approx(many.middle, abs=0.01)


def test_the_same_input_gives_the_same_draws() -> None:
    measured = _measured(0.4 + 5 * SIZES**-0.5)
    assert np.array_equal(forecast(measured).loss(640), forecast(measured).loss(640))
    assert not np.array_equal(forecast(measured).loss(640), forecast(measured, seed=1).loss(640))


def test_seed_variance_is_pooled_over_sizes() -> None:
    rng = np.random.default_rng(4)
    runs = tuple(rng.normal(1, 0.1, (s, 1)) for s in (4, 3, 3, 2, 1))
    variances = Measured(SIZES, runs, np.ones(1)).seed_variances()
    squares = [float(((r - r.mean()) ** 2).sum()) for r in runs]
    pooled = sum(squares) / 8
    assert variances[0] == pytest.approx((4 * pooled + squares[0]) / 7)
    assert variances[4] == pytest.approx(pooled)


def test_too_little_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 3 sizes, got 2"):
        forecast(Measured(SIZES[:2], (np.ones((2, 4)), np.ones((2, 4))), np.full(4, 0.25)))
    with pytest.raises(UsageError, match="every size has one run"):
        forecast(_measured(0.4 + 5 * SIZES**-0.5, seeds=1))
