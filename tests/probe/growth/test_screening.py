"""Main effects from random halves."""

import numpy as np
import pytest

from datagen.probe.growth.screening import main_effects
from datagen.probe.growth.subsets import half_inclusions


def test_planted_effects_are_found_and_nulls_are_not() -> None:
    truth = np.array([-0.20, -0.08, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0])
    hits = total = false = nulls = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        included = np.array(half_inclusions(8, draws=24, seed=seed), dtype=np.float64)
        losses = 2.0 + included @ truth + rng.normal(0, 0.03, 24)
        found = main_effects(included, losses)
        inside = np.abs(found.effect - truth) <= 1.711 * found.deviation
        hits, total = hits + int(inside.sum()), total + 8
        outside = np.abs(found.effect) > 1.711 * found.deviation
        false, nulls = false + int(outside[truth == 0].sum()), nulls + int((truth == 0).sum())
        assert int(np.argmin(found.effect)) == 0
    assert 0.84 <= hits / total <= 0.97
    assert false / nulls <= 0.15


def test_pure_noise_is_shrunk_to_nothing() -> None:
    rng = np.random.default_rng(1)
    included = np.array(half_inclusions(10, draws=20, seed=0), dtype=np.float64)
    found = main_effects(included, rng.normal(1.0, 0.05, 20))
    assert (np.abs(found.effect) < 0.03).all()
    assert found.noise == pytest.approx(0.05, rel=0.5)


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 runs"):
        main_effects(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1.0, 2.0]))
