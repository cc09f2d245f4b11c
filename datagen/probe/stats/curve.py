"""What a training curve says: overfitting, converged or underfitting."""

from collections.abc import Sequence
from typing import Literal

from datagen.probe.result import Curve, TrainingState
from datagen.probe.stats.sentences import state_sentence

_STILL = 0.02
"""Relative fall of the eval loss over the last stretch below which a run counts as converged."""


def training_state(
    curves: Sequence[Curve], *, arm: Literal["baseline", "new"], primary: str, stopped: int = 0
) -> TrainingState | None:
    """Judge an arm on the mean eval loss of its seeds on the primary set; None with fewer than two evaluations of it (gold questions
    are scored at the end only, so a verdict read on them has no curve).

    Runs that stopped early (``stopped`` counts them) are judged over the evaluations that all seeds have.

    Overfitting: train loss fell after the best evaluation while eval loss rose by more than 2 %. Underfitting: the last
    stretch still lowered eval loss by more than 2 %. Else converged.
    """
    own = [c for c in curves if c.arm == arm]
    steps = [p.step for p in min((c.points for c in own), key=len)] if own else []
    if len(steps) < 2:
        return None
    if any(primary not in c.points[i].eval_loss for c in own for i in range(len(steps))):
        return None
    means = [_mean([c.points[i].eval_loss[primary] for c in own]) for i in range(len(steps))]
    train = [_mean([c.points[i].train_loss for c in own]) for i in range(len(steps))]
    best = min(range(len(means)), key=means.__getitem__)
    if means[-1] > means[best] * (1 + _STILL) and train[-1] < train[best]:
        state: Literal["overfitting", "converged", "underfitting"] = "overfitting"
    elif means[-1] < means[-2] * (1 - _STILL):
        state = "underfitting"
    else:
        state = "converged"
    sentence = state_sentence(state, steps[best], steps[-1])
    return TrainingState(arm=arm, state=state, best_step=steps[best], sentence=sentence, stopped=stopped)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
