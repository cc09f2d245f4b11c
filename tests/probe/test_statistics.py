"""Estimator against hand-computed values, scipy and a seeded simulation."""

from math import isclose, pi
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs
from scipy import stats

from datagen.probe.stats import estimate as st


def test_pair_sums_questions_into_documents_by_tokens() -> None:
    baseline = np.array([[10.0, 20.0, 8.0]])
    new = np.array([[9.0, 18.0, 8.0], [8.0, 18.0, 10.0]])
    data = st.pair(baseline, new, np.array([5, 10, 5]), ["早餐.md", "早餐.md", "rooms.md"])
    assert data.weights.tolist() == [0.25, 0.75]  # rooms.md sorts before 早餐.md
    assert np.allclose(data.differences, [[0.0, -3 / 15], [2 / 5, -4 / 15]])
    assert (data.items, data.tokens) == (3, 20)


def test_estimate_equals_the_hand_computed_values() -> None:
    data = st.Paired(np.array([[-0.4, -0.2], [-0.2, 0.0]]), np.array([0.5, 0.5]), items=8, tokens=100)
    value = st.estimate(data)
    assert isclose(value.delta, -0.2)
    assert isclose(value.seed_variance, 0.02)  # per-seed means -0.3 and -0.1
    # residuals of the document means -0.3 and -0.1, weighted: -0.05 and 0.05; CR1 factor 2
    assert isclose(value.document_variance, 2 * (0.05**2 + 0.05**2))
    assert isclose(value.variance, 0.02)
    # both parts 0.01, one degree of freedom each; the seeds' at its upper 70 % limit: 0.3 is the quantile 0.14847 of chi2(1)
    seeds = 0.01 / 0.14847186183254
    assert isclose(value.nu, (seeds + 0.01) ** 2 / (seeds**2 + 0.01**2), rel_tol=1e-9)
    assert isclose(value.half_width(0.05), float(stats.t.ppf(0.975, value.nu)) * 0.02**0.5)


def test_one_seed_variance_zero_makes_it_the_one_sample_t_test_over_documents() -> None:
    per_document = np.array([-0.3, -0.1, -0.25, 0.05, -0.2, -0.15])
    data = st.Paired(np.vstack([per_document, per_document]), np.full(6, 1 / 6), items=6, tokens=60)
    value = st.estimate(data)
    reference: Any = stats.ttest_1samp(per_document, 0.0)
    assert isclose(st.two_sided_p(value), reference.pvalue)
    assert isclose(value.delta - value.half_width(0.05), reference.confidence_interval(0.95).low)
    assert isclose(value.nu, 5.0)


def test_prior_shrinks_the_seed_variance() -> None:
    data = st.Paired(np.array([[-0.3, -0.3], [-0.1, -0.1], [-0.2, -0.2]]), np.array([0.5, 0.5]), items=4, tokens=40)
    assert isclose(st.estimate(data).seed_variance, 0.01)
    assert isclose(st.estimate(data, prior_variance=0.04, prior_nu=4).seed_variance, (4 * 0.04 + 2 * 0.01) / 6)


def test_alpha_spent_over_all_looks_sums_to_alpha() -> None:
    assert isclose(st.spent_alpha(0.05, 1), 0.05 * 6 / pi**2)
    assert isclose(sum(st.spent_alpha(0.05, k) for k in range(1, 20001)), 0.05, abs_tol=2e-6)
    with pytest.raises(ValueError, match="counted from 1"):
        st.spent_alpha(0.05, 0)


def test_permutation_p_is_exact_for_few_documents() -> None:
    data = st.Paired(np.array([[-0.3, -0.1, -0.2, -0.4]]), np.full(4, 0.25), items=4, tokens=40)
    assert st.permutation_p(data) == 2 / 16
    mixed = st.Paired(np.array([[-0.3, 0.3]]), np.full(2, 0.5), items=2, tokens=20)
    assert st.permutation_p(mixed) == 1.0


def test_holm_by_hand() -> None:
    assert np.allclose(st.holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    assert st.holm([]) == []


@given(shift=hs.floats(-1, 1), seeds=hs.integers(2, 4), documents=hs.integers(2, 8), seed=hs.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_shifting_every_difference_shifts_delta_and_nothing_else(shift: float, seeds: int, documents: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(documents) * 5)
    base = st.Paired(rng.normal(size=(seeds, documents)), weights, documents, 100)
    moved = st.Paired(base.differences + shift, weights, documents, 100)
    one, two = st.estimate(base), st.estimate(moved)
    assert isclose(two.delta, one.delta + shift, abs_tol=1e-9)
    assert isclose(two.variance, one.variance, rel_tol=1e-9, abs_tol=1e-12)


def test_bootstrap_interval_agrees_with_the_t_interval_on_many_documents() -> None:
    rng = np.random.default_rng(3)
    data = st.Paired(rng.normal(-0.1, 0.2, (3, 60)) + rng.normal(0, 0.2, 60), np.full(60, 1 / 60), 240, 2400)
    value = st.estimate(data)
    low, high = st.bootstrap_interval(data, 0.05)
    assert abs((high - low) / (2 * value.half_width(0.05)) - 1) < 0.25
    assert low < value.delta < high


@pytest.mark.parametrize("documents", [6, 20, 50])
def test_false_alarms_stay_near_the_nominal_rate(documents: int) -> None:
    """Null comparisons with seed, document and item noise and unequal documents: at most about 5 % at nominal 5 %."""
    rng = np.random.default_rng(documents)
    trials, seeds = 600, 3
    alarms = 0
    for _ in range(trials):
        weights = rng.dirichlet(np.full(documents, 8.0))
        differences = rng.normal(0, 0.01, (seeds, 1)) + rng.normal(0, 0.05, documents) + rng.normal(0, 0.04, (seeds, documents))
        value = st.estimate(st.Paired(differences, weights, documents * 4, 1000))
        alarms += abs(value.delta) > value.half_width(0.05)
    # 5 % plus two standard errors of 600 trials (0.9 % each)
    assert alarms / trials <= 0.068
