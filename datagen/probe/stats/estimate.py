"""Estimator of a paired loss difference with its error, from numbers alone (numpy and scipy).

``d[s, g]`` is the difference new - baseline for seed ``s`` on document ``g`` in nats per completion token; ``Delta`` weighs documents by
their tokens. Its variance is ``V = s2 / S + V_doc``: ``s2`` between seeds, ``V_doc`` the CR1 variance over documents; the interval is
``Delta +- t_nu sqrt(V)`` with Satterthwaite ``nu``. Seeds and documents both vary between repetitions, so an interval over items
alone is far too short (30-74 % false alarms at nominal 5 %, tests/bench/probe_simulation.py).

``nu`` is computed as if the seed variance were its upper 70 % limit. With three seeds the sample variance is often far too small, and
then plain Satterthwaite also takes the documents' many degrees of freedom: 7-8 % false alarms at nominal 5 %, and 18 % over a ten-step
campaign, where the seeds' noise prevails; this way 3-6 % and, with the variance pooled over the campaign, 3-4 % (2-11 % where it cannot
be pooled, because every step has a set of another size).

Source: A. C. Cameron, D. L. Miller, "A Practitioner's Guide to Cluster-Robust Inference", 2015 (CR1, few clusters);
F. E. Satterthwaite, 1946; effective number of clusters 1 / sum(w^2): A. V. Carter et al., 2017.
"""

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Paired:
    """Paired losses of two arms on the same questions.

    Attributes:
        differences: float64 [seeds, documents], new - baseline, nats per completion token within the document.
        weights: float64 [documents], share of completion tokens; sums to 1.
        items: number of questions.
        tokens: number of completion tokens.
    """

    differences: Floats
    weights: Floats
    items: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Delta with its parts, in nats per completion token (variances squared).

    ``seed_variance`` is the one used (shrunk toward the pool, if there is one) with ``seed_nu`` degrees of freedom, ``sample_variance``
    that of these seeds alone, and ``effective`` the effective number of documents, 1 / sum(w^2).
    """

    delta: float
    seed_variance: float
    document_variance: float
    seeds: int
    documents: int
    nu: float
    sample_variance: float = 0.0
    effective: float = 1.0
    seed_nu: float = 0.0

    @property
    def variance(self) -> float:
        return self.seed_variance / self.seeds + self.document_variance

    @property
    def document_sd(self) -> float:
        """Standard deviation of one document's difference."""
        return (self.document_variance * self.effective) ** 0.5

    def half_width(self, level: float) -> float:
        """Half of the two-sided interval that misses with probability ``level``; 0 when nothing varies."""
        if self.variance == 0:
            return 0.0
        return t_quantile(1 - level / 2, self.nu) * self.variance**0.5

    def detectable(self, level: float, power: float = 0.8) -> float:
        """Smallest true difference found with probability ``power`` at this error.

        A sample variance with few degrees of freedom is more often too small than too large: it is corrected to be so in half of all cases.
        """
        from scipy import stats

        seeds = self.seed_variance / self.seeds
        if self.seed_nu > 0:
            seeds *= self.seed_nu / float(stats.chi2.ppf(0.5, self.seed_nu))
        return (t_quantile(1 - level / 2, self.nu) + t_quantile(power, self.nu)) * (seeds + self.document_variance) ** 0.5


def pair(baseline: Floats, new: Floats, tokens: NDArray[np.int64], documents: list[str]) -> Paired:
    """Sum per-question losses into documents.

    Args:
        baseline: float64 [seeds, questions], or [1, questions] for the untrained model; nats summed over completion tokens.
        new: float64 [seeds, questions].
        tokens: int64 [questions], completion tokens, all > 0.
        documents: the cluster of each question.
    """
    names = sorted(set(documents))
    index = {name: i for i, name in enumerate(names)}
    member = np.zeros((len(documents), len(names)))
    member[np.arange(len(documents)), [index[d] for d in documents]] = 1
    per_document = tokens.astype(np.float64) @ member
    total = float(tokens.sum())
    differences = ((new - baseline) @ member) / per_document
    return Paired(differences, per_document / total, len(documents), int(total))


def estimate(data: Paired, *, prior_variance: float | None = None, prior_nu: float = 4.0) -> Estimate:
    """Estimate Delta and its error.

    Args:
        data: the paired differences; at least 1 seed and 2 documents (with 1 seed and no prior the seed variance reads 0:
            callers must not give a verdict then).
        prior_variance: seed variance known from earlier comparisons with the same configuration; the sample variance is shrunk
            toward it with ``prior_nu`` degrees of freedom.
    """
    seeds, documents = data.differences.shape
    w = data.weights
    per_seed = data.differences @ w
    delta = float(per_seed.mean())
    sample = float(per_seed.var(ddof=1)) if seeds > 1 else 0.0
    seed_nu = float(seeds - 1)
    seed_variance = sample
    if prior_variance is not None:
        seed_variance = (prior_nu * prior_variance + seed_nu * sample) / (prior_nu + seed_nu)
        seed_nu += prior_nu
    residual = w * (data.differences.mean(axis=0) - delta)
    document_variance = float(documents / (documents - 1) * (residual**2).sum()) if documents > 1 else 0.0
    parts = seed_variance / seeds, document_variance
    effective = 1.0 / float((w**2).sum())
    nu = _satterthwaite(parts, (seed_nu, max(effective - 1, 1.0)))
    return Estimate(delta, seed_variance, document_variance, seeds, documents, nu, sample, effective, seed_nu)


def expected(*, seed_variance: float, seed_nu: float, document_sd: float, seeds: int, tokens: NDArray[np.int64]) -> Estimate:
    """Return the error to expect before any training, for :meth:`Estimate.detectable`.

    Args:
        seed_variance: variance of a seed's difference, known with ``seed_nu`` degrees of freedom.
        document_sd: standard deviation of a document's difference.
        tokens: int64 [documents], completion tokens of each document's questions.
    """
    w = tokens / tokens.sum()
    effective = 1.0 / float((w**2).sum())
    document_variance = document_sd**2 / effective
    nu = _satterthwaite((seed_variance / seeds, document_variance), (seed_nu, max(effective - 1, 1.0)))
    return Estimate(0.0, seed_variance, document_variance, seeds, len(tokens), nu, seed_variance, effective, seed_nu)


UPPER = 0.7
"""Confidence of the limit the seed variance is taken at for the degrees of freedom."""


def _satterthwaite(parts: tuple[float, float], degrees: tuple[float, float]) -> float:
    """Return the degrees of freedom of the sum of the seeds' and the documents' variance, at least 1; see the module's docstring."""
    from scipy import stats

    if degrees[0] > 0:
        parts = parts[0] * degrees[0] / float(stats.chi2.ppf(1 - UPPER, degrees[0])), parts[1]
    below = sum(part**2 / nu for part, nu in zip(parts, degrees, strict=True) if nu > 0)
    return max(sum(parts) ** 2 / below if below > 0 else degrees[1], 1.0)


def spent_alpha(alpha: float, look: int) -> float:
    """Return the false-alarm rate of look ``k`` (from 1) of a campaign: ``alpha * 6 / (pi^2 k^2)``; the looks sum to ``alpha``."""
    if look < 1:
        raise ValueError(f"looks are counted from 1, got {look}")
    return alpha * 6 / (pi**2 * look**2)


def permutation_p(data: Paired, *, draws: int = 4096, seed: int = 0) -> float:
    """Return the two-sided p-value of flipping documents' signs; exact up to 12 documents, else ``draws`` random flips."""
    effects = data.weights * data.differences.mean(axis=0)
    n = len(effects)
    if n <= 12:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        extreme = np.abs(signs @ effects) >= abs(effects.sum()) - 1e-12
        return float(extreme.mean())
    rng = np.random.default_rng(seed)
    signs = rng.choice(np.array([-1.0, 1.0]), size=(draws, n))
    extreme = np.abs(signs @ effects) >= abs(effects.sum()) - 1e-12
    return float((extreme.sum() + 1) / (draws + 1))


def bootstrap_interval(data: Paired, level: float, *, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the percentile interval of a two-way bootstrap: seeds and documents drawn with replacement, independently."""
    rng = np.random.default_rng(seed)
    seeds, documents = data.differences.shape
    sums = data.differences * data.weights
    rows = _counts(rng.integers(0, seeds, (draws, seeds)), seeds)
    columns = _counts(rng.integers(0, documents, (draws, documents)), documents)
    totals = np.einsum("bs,sg,bg->b", rows / seeds, sums, columns)
    values = totals / (columns @ data.weights)
    low, high = np.quantile(values, [level / 2, 1 - level / 2])
    return float(low), float(high)


def two_sided_p(value: Estimate) -> float:
    """Return the t test's p-value for Delta = 0; 1 where nothing varies and Delta is 0, 0 where nothing varies and it is not."""
    from scipy import stats

    if value.variance == 0:
        return float(value.delta == 0)
    return float(2 * stats.t.sf(abs(value.delta) / value.variance**0.5, value.nu))


def holm(p_values: list[float]) -> list[float]:
    """Adjust p-values for several tests. Source: S. Holm, "A simple sequentially rejective multiple test procedure", 1979."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = worst
    return adjusted


def t_quantile(p: float, nu: float) -> float:
    """Return the quantile of Student's t with ``nu`` degrees of freedom."""
    from scipy import stats

    return float(stats.t.ppf(p, nu))


def _counts(drawn: NDArray[np.int64], size: int) -> Floats:
    counts = np.zeros((len(drawn), size))
    np.add.at(counts, (np.arange(len(drawn))[:, None], drawn), 1.0)
    return counts
