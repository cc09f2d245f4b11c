"""How hard a row is for a model, from its losses alone. Pure functions; where the losses come from is the probe's matter."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def instruction_following_difficulty(with_question: npt.ArrayLike, without_question: npt.ArrayLike) -> Floats:
    """Return IFD = PPL(answer | question) / PPL(answer), from mean losses in nats per token; float64, shape (n,), range (0, inf).

    Near 0: the question all but gives the answer away. Near 1: the question hardly helps, the row teaches to follow it. Above 1: the
    question makes the answer less likely; the two may not belong together.

    Source: Li et al., "Superfiltering: Weak-to-Strong Data Filtering for Fast Instruction-Tuning", ACL 2024, arXiv 2402.00530, section 2.
    """
    return np.exp(np.asarray(with_question, dtype=np.float64) - np.asarray(without_question, dtype=np.float64))


def learning_percentage(losses: npt.ArrayLike) -> Floats:
    """Return how much of a row's whole drop in perplexity came with the first checkpoint; float64, shape (n,).

    ``losses`` has shape (n, checkpoints): mean loss in nats per token, the untrained model first. 1: learnt at once (easy); near 0: learnt
    late (hard). Rows whose perplexity did not fall are NaN.

    Source: Mekala et al., "Smaller Language Models are capable of selecting Instruction-Tuning Training Data for Larger Language Models",
    ACL Findings 2024, arXiv 2402.10430, equation 1.
    """
    table = np.asarray(losses, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError(f"losses must have shape (n, checkpoints >= 2), got {table.shape}")
    perplexity = np.exp(table)
    whole = perplexity[:, 0] - perplexity[:, -1]
    first = perplexity[:, 0] - perplexity[:, 1]
    return np.where(whole > 0, first / np.where(whole > 0, whole, 1.0), np.nan)


def select_by_trajectory(losses: npt.ArrayLike, n: int, *, clusters: int = 20, seed: int = 0) -> list[int]:
    """Return ``n`` rows, ascending: rows are clustered by their loss trajectories and taken evenly, from the smallest cluster on.

    ``losses`` as in :func:`learning_percentage`. Rows with like trajectories have like gradients, so few of each kind stand for it.

    Source: Yang et al., "SmallToLarge (S2L): Scalable Data Selection for Fine-tuning Large Language Models", NeurIPS 2024, arXiv
    2403.07384.
    """
    from sklearn.cluster import KMeans

    table = np.asarray(losses, dtype=np.float64)
    k = min(clusters, len(np.unique(table, axis=0)))
    labels = KMeans(k, n_init=2, random_state=seed).fit_predict(table)  # pyright: ignore[reportArgumentType]
    rng = np.random.default_rng(seed)
    groups: list[list[int]] = sorted(([int(i) for i in rng.permutation(np.flatnonzero(labels == c))] for c in range(k)), key=len)
    chosen: list[int] = []
    for at, group in enumerate(groups):
        share = (min(n, len(table)) - len(chosen)) // (len(groups) - at)
        chosen += group[:share]
    return sorted(chosen)


def mean_losses(rows: Sequence[tuple[str, int, float, int]], example_ids: Sequence[str]) -> Floats:
    """Return the loss table of some examples from a loss store's (example_id, step, nll, n_tokens): shape (n, steps), nats per token.

    Several seeds of one step are averaged; an example without a value at a step is NaN there.
    """
    steps = sorted({step for _, step, _, _ in rows})
    at = {step: i for i, step in enumerate(steps)}
    place = {example: i for i, example in enumerate(example_ids)}
    total, count = np.zeros((len(example_ids), len(steps))), np.zeros((len(example_ids), len(steps)))
    for example, step, nll, tokens in rows:
        if example in place:
            total[place[example], at[step]] += nll / tokens
            count[place[example], at[step]] += 1
    return np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)
