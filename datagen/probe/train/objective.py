"""What is minimised and scored: an example's loss, for completions, whole texts and preferences. Imports torch at the top.

Completion and text: minus log-likelihood summed over learned tokens. Preference (DPO): ``-log sigmoid(beta * margin)`` where margin is how
much more the adapter moved the chosen answer's log-likelihood than the rejected one's; one number a pair, ``ln 2`` for the untrained
model. Source: R. Rafailov et al., "Direct Preference Optimization", arXiv 2305.18290, eq. 7.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from datagen.probe.data.batch import collate, parts
from datagen.probe.data.encode import Example
from datagen.probe.models.backend import Backend
from datagen.probe.train.forward import token_nll

References = Mapping[str, tuple[float, float]]
"""The untrained model's minus log-likelihoods (nats) of the chosen and the rejected answer, by example id."""


class Losses(NamedTuple):
    """Per example, float64 [examples]: loss (nats), differentiable; and its part on number and date tokens."""

    nll: torch.Tensor
    fact_nll: torch.Tensor


def example_losses(
    backend: Backend, examples: Sequence[Example], *, packed: bool, references: References | None = None, beta: float = 0.1
) -> Losses:
    """Compute each example's loss in one forward pass; ``references`` are needed for preferences."""
    batch = collate(examples, packed=packed, device=backend.device)
    nll = token_nll(backend.causal, batch, fused=backend.fused).double()
    zero = torch.zeros(len(parts(examples)), dtype=torch.float64, device=nll.device)
    sums = zero.index_add(0, batch.owners, nll)
    if examples[0].rejected is None:
        return Losses(sums, zero.index_add(0, batch.owners, nll.detach() * batch.facts))
    assert references is not None, "preferences are scored against the untrained model"
    before = torch.tensor([references[e.id] for e in examples], dtype=torch.float64, device=nll.device)
    moved = before - sums.view(-1, 2)
    margin = beta * (moved[:, 0] - moved[:, 1])
    return Losses(torch.nn.functional.softplus(-margin), torch.zeros_like(margin))


def packs(backend: Backend, examples: Sequence[Example]) -> bool:
    """Say whether these may be packed: packed rows see every earlier token, so they must fit the model's sliding window."""
    return backend.packed and max(len(p.ids) for p in parts(examples)) < backend.window
