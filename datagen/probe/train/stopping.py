"""Early stopping: the best evaluation so far, and whether another one is worth waiting for. Imports torch at the top (weights)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from datagen.probe.stats import estimate as st
from datagen.probe.train.evaluate import ItemLoss


@dataclass(slots=True)
class Best:
    """The evaluation with the lowest loss on ``eval_set`` (any set, if the exam has no such questions), and its weights.

    An evaluation counts as a gain if its loss is lower than the last gain's by more than one standard error of the paired difference,
    clustered by document; ``waited`` counts evaluations since.
    """

    eval_set: str
    step: int = 0
    loss: float = float("inf")
    weights: list[torch.Tensor] = field(default_factory=list[torch.Tensor])
    waited: int = 0
    gained: list[float] = field(default_factory=list[float])

    def update(self, step: int, items: Sequence[ItemLoss], weights: list[torch.Tensor]) -> None:
        """Take an evaluation into account."""
        own = [i for i in items if i.example.eval_set == self.eval_set] or list(items)
        nll = [i.nll for i in own]
        tokens = np.array([i.example.n_tokens for i in own], dtype=np.int64)
        if not self.gained or _gain(self.gained, nll, tokens, [i.example.document for i in own]):
            self.gained, self.waited = nll, 0
        else:
            self.waited += 1
        loss = sum(nll) / int(tokens.sum())
        if loss < self.loss:
            self.step, self.loss, self.weights = step, loss, weights


def _gain(before: list[float], after: list[float], tokens: "np.ndarray[tuple[int], np.dtype[np.int64]]", documents: list[str]) -> bool:
    value = st.estimate(st.pair(np.array([before]), np.array([after]), tokens, documents))
    return -value.delta > value.document_variance**0.5
