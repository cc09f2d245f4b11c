"""Main effects of slices from runs that include random halves of them, by ridge regression (numpy alone).

Model: loss of run k = mean + sum_j x_kj * effect_j / 2, with x_kj = +1 where slice j is included and -1 where not; ``effect_j`` is then the
loss with the slice minus the loss without it. The prior of every effect is normal around 0; its variance and the noise's are chosen by
marginal likelihood (empirical Bayes), which is what sets the ridge. Intervals are the posterior's: they know the noise between runs and
shrink when there are as many slices as runs.

Source: C. M. Bishop, "Pattern Recognition and Machine Learning", 2006, sections 3.3 and 3.5; the use of random halves: A. Ilyas et al.,
"Datamodels", arXiv 2202.00622.
"""

from typing import NamedTuple

import numpy as np

from datagen.probe.growth.laws import Floats


class Effects(NamedTuple):
    """float64 [slices]: loss with minus loss without (nats per token, below 0: the slice helps) and its deviation; ``noise`` is the
    standard deviation of a single run around the model; ``ridge`` the penalty chosen."""

    effect: Floats
    deviation: Floats
    noise: float
    ridge: float


def main_effects(included: Floats, losses: Floats) -> Effects:
    """Estimate every slice's main effect.

    Args:
        included: float64 [runs, slices], 1 where the run had the slice, else 0.
        losses: float64 [runs], nats per token.

    Raises:
        ValueError: fewer than four runs.
    """
    runs, slices = included.shape
    if runs < 4:
        raise ValueError(f"main effects need at least 4 runs, got {runs}")
    x = included * 2 - 1
    x = x - x.mean(axis=0)
    y = losses - losses.mean()
    spread = max(float(y @ y) / (runs - 1), 1e-18)
    # The mean takes one degree of freedom: the likelihood is of the runs - 1 contrasts around it.
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    rank = int((singular > 1e-9 * max(singular.max(initial=0.0), 1e-30)).sum())
    left, singular, right = left[:, :rank], singular[:rank], right[:rank]
    z, rest = left.T @ y, max(float(y @ y - ((left.T @ y) ** 2).sum()), 0.0)
    shares = np.geomspace(1e-4, 0.9999, 200)
    best, chosen = -np.inf, (spread, 0.0)
    for share in shares:
        # ``share`` of the losses' variance is the noise's; the effects carry what is left.
        noise, effect = share * spread, (1 - share) * spread / slices
        variance = noise + effect * singular**2
        score = -0.5 * (np.log(variance).sum() + (z**2 / variance).sum() + (runs - 1 - rank) * np.log(noise) + rest / noise)
        if score > best:
            best, chosen = score, (noise, effect)
    noise, effect = chosen
    gain = effect * singular / (noise + effect * singular**2)
    mean = right.T @ (gain * z)
    covariance = effect * np.eye(slices) - right.T @ np.diag(effect * gain * singular) @ right
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return Effects(2 * mean, 2 * deviation, float(noise**0.5), noise / effect if effect > 0 else float("inf"))
