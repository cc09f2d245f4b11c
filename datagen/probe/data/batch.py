"""Examples as tensors for one forward pass, without waste.

Packed form (attention-only models): for each set of examples that begin alike their common prefix once, then each example's
remainder, all in one row with a block mask and the positions each example has on its own. There is no padding and a shared persona is
computed once; the result is that of separate rows up to rounding. Padded form (any model): one row an example, right-padded.
Source of prefix sharing: Hydragen, arXiv 2402.05099 (there for decoding).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from datagen.probe.data.encode import Example

if TYPE_CHECKING:
    import torch

PACK_TOKENS = 640
"""Longest packed row: attention inside a packed row grows with its square."""
ALIKE = 8
"""Examples whose first so many tokens are equal share a prefix in a packed row."""


class Batch(NamedTuple):
    """Inputs and targets of one forward pass.

    Attributes:
        input_ids: int64 [rows, length].
        attention_mask: bool [1, 1, length, length] (packed) or int64 [rows, length] (padded).
        position_ids: int64 [1, length], or None for padded rows.
        sources: int64 [n], index into the flattened hidden states whose output predicts each target.
        targets: int64 [n], completion tokens, example by example.
        owners: int64 [n], which example each target belongs to.
        facts: bool [n].
    """

    input_ids: "torch.Tensor"
    attention_mask: "torch.Tensor"
    position_ids: "torch.Tensor | None"
    sources: "torch.Tensor"
    targets: "torch.Tensor"
    owners: "torch.Tensor"
    facts: "torch.Tensor"


def parts(examples: Sequence[Example]) -> list[Example]:
    """Return the sequences to be read: each example, after it its rejected twin if it has one."""
    return [part for example in examples for part in example.parts]


def group(examples: Sequence[Example], *, token_budget: int, packed: bool) -> list[list[Example]]:
    """Cut examples into groups whose tensors stay within the budget, in order; twins stay together."""
    groups: list[list[Example]] = []
    budget = min(token_budget, PACK_TOKENS) if packed else token_budget
    current: list[Example] = []
    for example in examples:
        if current and _cost(parts([*current, example]), packed) > budget:
            groups.append(current)
            current = []
        current.append(example)
    return [*groups, current] if current else groups


def collate(examples: Sequence[Example], *, packed: bool, device: str) -> Batch:
    """Build the tensors of one group; ``owners`` counts sequences (see :func:`parts`)."""
    return (_packed if packed else _padded)(parts(examples), device)


def common_prefix(examples: Sequence[Example]) -> int:
    """Count the leading prompt tokens that all examples share."""
    first = examples[0]
    limit = min(e.learned.index(True) for e in examples)
    for i in range(limit):
        if any(e.ids[i] != first.ids[i] for e in examples):
            return i
    return limit


def _families(examples: Sequence[Example]) -> list[tuple[int, list[int]]]:
    """Return (length of the shared prefix, indices) of the examples that begin alike."""
    sets: dict[tuple[int, ...], list[int]] = {}
    for i, example in enumerate(examples):
        sets.setdefault(example.ids[:ALIKE], []).append(i)
    return [(common_prefix([examples[i] for i in members]) if len(members) > 1 else 0, members) for members in sets.values()]


def _cost(examples: Sequence[Example], packed: bool) -> int:
    if not packed:
        return len(examples) * max(len(e.ids) for e in examples)
    return sum(prefix + sum(len(examples[i].ids) - prefix for i in members) for prefix, members in _families(examples))


def _packed(examples: Sequence[Example], device: str) -> Batch:
    import torch

    ids: list[int] = []
    positions: list[int] = []
    family: list[int] = []
    segment: list[int] = []
    targets: list[tuple[int, int, int, bool]] = []
    for number, (prefix, members) in enumerate(_families(examples)):
        start = len(ids)
        ids += examples[members[0]].ids[:prefix]
        positions += range(prefix)
        segment += [-1] * prefix
        for owner in members:
            example = examples[owner]
            shift = len(ids) - prefix
            ids += example.ids[prefix:]
            positions += range(prefix, len(example.ids))
            segment += [owner] * (len(example.ids) - prefix)
            for i, learned in enumerate(example.learned):
                if learned:
                    targets.append((start + i - 1 if i - 1 < prefix else i - 1 + shift, example.ids[i], owner, example.fact[i]))
        family += [number] * (len(ids) - start)
    families, segments = torch.tensor(family), torch.tensor(segment)
    causal = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    shared = (families[:, None] == families[None, :]) & (segments[None, :] == -1)
    mask = causal & (shared | (segments[:, None] == segments[None, :]) & (segments[:, None] != -1))
    return Batch(
        torch.tensor([ids]).to(device), mask[None, None].to(device), torch.tensor([positions]).to(device), *_targets(targets, device)
    )


def _padded(examples: Sequence[Example], device: str) -> Batch:
    import torch

    length = max(len(e.ids) for e in examples)
    rows = [list(e.ids) + [0] * (length - len(e.ids)) for e in examples]
    mask = [[1] * len(e.ids) + [0] * (length - len(e.ids)) for e in examples]
    targets = [
        (n * length + i - 1, e.ids[i], n, e.fact[i]) for n, e in enumerate(examples) for i, flag in enumerate(e.learned) if flag
    ]
    return Batch(torch.tensor(rows).to(device), torch.tensor(mask).to(device), None, *_targets(targets, device))


def _targets(
    targets: list[tuple[int, int, int, bool]], device: str
) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]":
    import torch

    sources, tokens, owners, facts = (list(column) for column in zip(*targets, strict=True))
    return (
        torch.tensor(sources).to(device),
        torch.tensor(tokens).to(device),
        torch.tensor(owners).to(device),
        torch.tensor(facts, dtype=torch.bool).to(device),
    )
