"""Is the verdict honest? Simulated probes through the estimator and the decision rule that real ones go through.

    python tests/bench/probe_simulation.py [TRIALS]        (default 4000 a cell; two minutes on a core of its own)

Per cell (seeds x documents x share of the variance between seeds x kind of noise): false BETTER or WORSE at nominal 5 %, coverage of the
95 % interval, and the same for two intervals people use instead (over items; over documents of the mean). Then family-wise false
alarms of ten-step campaigns with spent alpha, power at the stated minimum detectable effect and the effect really found with 80 %
power, what pooling the seed variance with earlier comparisons does, also where those were unlike, and how often a ``sweep`` of equal
settings calls one worse than the best, which is picked from the same losses. Prints one JSON object.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from datagen.probe.growth.matrix import Matrix
from datagen.probe.growth.sweep import judge_table
from datagen.probe.stats import estimate as st
from datagen.probe.stats.verdict import decide
from datagen.probe.store.noise import NU0

SEED_SHARES = (0.1, 0.5, 0.9)
DELTA = 0.01


class World(NamedTuple):
    """How losses vary: ``share`` of the error variance of Delta is between seeds; ``heavy`` noise is Student's t with 4 degrees."""

    seeds: int
    documents: int
    share: float
    heavy: bool


class Drawn(NamedTuple):
    """One simulated comparison, by item: float64 [seeds, items] differences in nats, int64 [items] tokens, documents' names."""

    differences: np.ndarray
    tokens: np.ndarray
    documents: list[str]


def draw(world: World, rng: np.random.Generator, *, effect: float = 0.0, seed_factor: float = 1.0) -> Drawn:
    """Draw item losses: seed effect + document effect + (seed x document) + item noise, documents of 1 to 8 questions of 5 to 40 tokens."""
    items = rng.integers(1, 9, world.documents)
    owner = np.repeat(np.arange(world.documents), items)
    tokens = rng.integers(5, 41, len(owner))
    weights = np.bincount(owner, tokens) / tokens.sum()
    document_sd, cross_sd, item_sd = 0.05, 0.03, 0.05
    document_variance = float((weights**2).sum()) * (document_sd**2 + cross_sd**2 / world.seeds)
    seed_sd = (world.seeds * document_variance * world.share / (1 - world.share)) ** 0.5 * seed_factor
    noise = _noise(world, rng)
    rate = (
        effect
        + seed_sd * noise((world.seeds, 1))
        + document_sd * noise((1, world.documents))[:, owner]
        + cross_sd * noise((world.seeds, world.documents))[:, owner]
        + item_sd * noise((1, len(owner)))
    )
    return Drawn(rate * tokens, tokens.astype(np.int64), [f"d{o:03d}" for o in owner])


def paired(drawn: Drawn) -> st.Paired:
    return st.pair(np.zeros((1, len(drawn.tokens))), drawn.differences, drawn.tokens, drawn.documents)


def cell(world: World, trials: int, rng: np.random.Generator) -> dict[str, float]:
    """Measure false alarms and coverage under no effect; the rule's interval and two shorter ones."""
    alarms = missed = by_item = by_document = 0
    for _ in range(trials):
        drawn = draw(world, rng)
        value = st.estimate(paired(drawn))
        alarms += decide(value, delta=DELTA, alpha=0.05) in ("BETTER", "WORSE")
        missed += abs(value.delta) > value.half_width(0.05)
        per_item = (drawn.differences / drawn.tokens).mean(axis=0)
        by_item += abs(per_item.mean()) > 1.96 * per_item.std(ddof=1) / len(per_item) ** 0.5
        by_document += abs(value.delta) > st.t_quantile(0.975, world.documents - 1) * value.document_variance**0.5
    return {
        **world._asdict(),
        "false_alarms": alarms / trials,
        "coverage": 1 - missed / trials,
        "false_alarms_item_interval": by_item / trials,
        "false_alarms_document_interval": by_document / trials,
    }


def campaigns(world: World, trials: int, rng: np.random.Generator, steps: int = 10) -> dict[str, float]:
    """Count campaigns of null changes with at least one false verdict: as ``datagen`` judges them (spent alpha, seed variance pooled
    with the campaign's earlier looks), without pooling, without spending, and under 'keep if the mean is lower'."""
    spent = alone = naive = keep = 0
    for _ in range(trials):
        drawn = [paired(draw(world, rng)) for _ in range(steps)]
        values = [st.estimate(d) for d in drawn]
        earlier = [float(np.mean([v.sample_variance for v in values[:k]])) if k else None for k in range(steps)]
        nus = [min(NU0, k * (world.seeds - 1.0)) for k in range(steps)]
        pooled = [st.estimate(d, prior_variance=e, prior_nu=nu) for d, e, nu in zip(drawn, earlier, nus, strict=True)]
        for kind in (pooled, values):
            found = any(decide(v, delta=DELTA, alpha=st.spent_alpha(0.05, k)) in ("BETTER", "WORSE") for k, v in enumerate(kind, 1))
            spent, alone = (spent + found, alone) if kind is pooled else (spent, alone + found)
        naive += any(decide(v, delta=DELTA, alpha=0.05) in ("BETTER", "WORSE") for v in values)
        keep += any(v.delta < 0 for v in values)
    return {
        **world._asdict(),
        "campaigns": trials,
        "family_wise": spent / trials,
        "family_wise_unpooled": alone / trials,
        "family_wise_unspent": naive / trials,
        "keep_if_lower": keep / trials,
    }


def power(world: World, trials: int, rng: np.random.Generator) -> dict[str, float]:
    """Compare the stated minimum detectable effect (its median over probes) with the effect found in 80 % of probes."""
    nulls = [st.estimate(paired(draw(world, rng))) for _ in range(trials)]
    stated = float(np.median([v.detectable(0.05) for v in nulls]))
    halves = np.array([v.half_width(0.05) for v in nulls])
    deltas = np.array([v.delta for v in nulls])
    # A true effect shifts every difference and leaves the error as it is (tested as a law), so one set of null probes serves all effects.
    found: Callable[[float], float] = lambda effect: float((deltas + effect - halves > 0).mean())  # noqa: E731
    low, high = 0.0, 10 * stated
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle) < 0.8 else (low, middle)
    return {
        **world._asdict(),
        "stated_mde": stated,
        "found_with_80_percent": high,
        "ratio": stated / high,
        "power_at_stated": found(stated),
    }


def pooling(world: World, trials: int, rng: np.random.Generator, *, spread: float, past: int = 5) -> dict[str, float]:
    """Shrink the seed variance toward ``past`` earlier comparisons whose seed sd differs by a log-normal factor of sd ``spread``."""
    alarms = plain = 0
    widths: list[float] = []
    for _ in range(trials):
        factors = np.exp(rng.normal(0, spread, past + 1))
        earlier = [st.estimate(paired(draw(world, rng, seed_factor=f))).sample_variance for f in factors[1:]]
        data = paired(draw(world, rng, seed_factor=factors[0]))
        pooled = st.estimate(data, prior_variance=float(np.mean(earlier)), prior_nu=min(NU0, past * (world.seeds - 1.0)))
        alone = st.estimate(data)
        alarms += abs(pooled.delta) > pooled.half_width(0.05)
        plain += abs(alone.delta) > alone.half_width(0.05)
        widths.append(pooled.half_width(0.05) / alone.half_width(0.05))
    return {
        **world._asdict(),
        "spread": spread,
        "false_alarms_pooled": alarms / trials,
        "false_alarms_alone": plain / trials,
        "median_width_over_alone": float(np.median(widths)),
    }


def equal_settings(
    seeds: int, share: float, trials: int, rng: np.random.Generator, *, settings: int = 9, documents: int = 40
) -> dict[str, float]:
    """Count sweeps over settings that do not differ in which at least one is called WORSE."""
    document_sd, cross_sd = 0.05, 0.03
    weights = np.full(documents, 1 / documents)
    seed_sd = (seeds * (document_sd**2 + cross_sd**2 / seeds) / documents * share / (1 - share)) ** 0.5

    def losses() -> Matrix:
        own = document_sd * rng.normal(size=(1, documents)) + cross_sd * rng.normal(size=(seeds, documents))
        return Matrix(own + seed_sd * rng.normal(size=(seeds, 1)), weights, documents, documents)

    named = [("all", rank) for rank in range(settings)]
    found = sum(
        any(j.verdict == "WORSE" for j in judge_table({name: losses() for name in named}, delta=DELTA).values()) for _ in range(trials)
    )
    return {"seeds": seeds, "share": share, "settings": settings, "sweeps": trials, "some_worse": found / trials}


def _noise(world: World, rng: np.random.Generator) -> Callable[[tuple[int, int]], np.ndarray]:
    if world.heavy:
        return lambda shape: rng.standard_t(4, shape) / 2**0.5
    return lambda shape: rng.normal(size=shape)


def measure(trials: int) -> dict[str, object]:
    """Run everything; deterministic for a number of trials."""
    started = time.monotonic()
    rng = np.random.default_rng(20260)
    sizes = [(3, 12), (3, 40), (5, 40)]
    cells = [
        cell(World(s, d, share, heavy), trials, rng) for s, d in sizes for share in SEED_SHARES for heavy in (False, True)
    ]
    return {
        "trials": trials,
        "cells": cells,
        "campaigns": [campaigns(World(3, 40, share, False), max(400, trials // 4), rng) for share in SEED_SHARES],
        "power": [power(World(s, d, share, False), trials, rng) for s, d in sizes for share in SEED_SHARES],
        "pooling": [pooling(World(3, 40, 0.5, False), trials // 2, rng, spread=spread) for spread in (0.0, 0.5, 1.0)],
        "equal_settings": [equal_settings(seeds, share, max(200, trials // 10), rng) for seeds in (2, 3) for share in SEED_SHARES],
        "worst_false_alarms": max(c["false_alarms"] for c in cells),
        "coverage_range": [min(c["coverage"] for c in cells), max(c["coverage"] for c in cells)],
        "seconds": round(time.monotonic() - started),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 4000), indent=1) + "\n")
