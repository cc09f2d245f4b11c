"""Scoring the exam, and which of its questions are scored when. Imports torch at the top: import it lazily."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from datagen.hashing import unit_interval
from datagen.probe.config import ProbeConfig
from datagen.probe.data.batch import group, parts
from datagen.probe.data.encode import Example
from datagen.probe.models.backend import Backend, one_math
from datagen.probe.train.objective import References, example_losses, packs


@dataclass(frozen=True, slots=True)
class ItemLoss:
    """Summed minus log-likelihood (nats) of one example's completion, and of its number and date tokens; or a preference's loss."""

    example: Example
    nll: float
    fact_nll: float


def evaluate(
    backend: Backend, exam: Sequence[Example], *, config: ProbeConfig, references: References | None = None
) -> list[ItemLoss]:
    """Score every example with the adapter as it is; results in input order, the same however they are batched up to rounding."""
    order = sorted(range(len(exam)), key=lambda i: (exam[i].language, exam[i].length, i))
    losses: list[ItemLoss | None] = [None] * len(exam)
    backend.peft.eval()
    with torch.no_grad(), one_math():
        at = 0
        packed = packs(backend, exam)
        for examples in group([exam[i] for i in order], token_budget=config.token_budget, packed=packed):
            found = example_losses(backend, examples, packed=packed, references=references, beta=config.beta)
            for n, (nll, fact) in enumerate(zip(found.nll.tolist(), found.fact_nll.tolist(), strict=True)):
                losses[order[at + n]] = ItemLoss(examples[n], nll, fact)
            at += len(examples)
    backend.peft.train()
    return [loss for loss in losses if loss is not None]


def evaluate_base(
    backend: Backend, exam: Sequence[Example], *, config: ProbeConfig, references: References | None = None
) -> list[ItemLoss]:
    """Score every example with the untrained model."""
    with backend.peft.disable_adapter():
        return evaluate(backend, exam, config=config, references=references)


def reference_losses(backend: Backend, examples: Sequence[Example], *, config: ProbeConfig) -> dict[str, tuple[float, float]]:
    """Score chosen and rejected answers with the untrained model, for :func:`example_losses`."""
    pairs = [e for e in examples if e.rejected is not None]
    losses = iter(evaluate_base(backend, [replace(p, rejected=None) for p in parts(pairs)], config=config))
    return {e.id: (next(losses).nll, next(losses).nll) for e in pairs}


def dev_half(exam: Sequence[Example], eval_set: str) -> list[Example]:
    """Return the half of an eval set that a checkpoint is chosen on when runs may stop early; the verdict is read on the other, and on
    the other sets whole. An exam without that set is halved itself, gold questions apart.

    Every other question of each (eval set, document), in an order by hash, so both halves cover the documents there are.
    """
    choosing = [e for e in exam if e.eval_set == eval_set] or [e for e in exam if e.eval_set != "gold"]
    groups: dict[tuple[str, str], list[Example]] = {}
    for example in sorted(choosing, key=lambda e: unit_interval(f"dev:{e.id}")):
        groups.setdefault((example.eval_set, example.document), []).append(example)
    chosen: set[str] = set()
    odd = 0
    for key in sorted(groups):
        own = groups[key]
        chosen.update(e.id for e in own[odd::2])
        odd = (odd + len(own)) % 2
    return [e for e in exam if e.id in chosen]


def curve_subset(exam: Sequence[Example], size: int) -> list[Example]:
    """Choose the questions for evaluations before the last: round robin over (eval set, document), in a fixed order; gold ones, which
    are judged only at the end, are left out if there are others."""
    exam = [e for e in exam if e.eval_set != "gold"] or exam
    if len(exam) <= size:
        return list(exam)
    queues: dict[tuple[str, str], list[Example]] = {}
    for example in sorted(exam, key=lambda e: e.id):
        queues.setdefault((example.eval_set, example.document), []).append(example)
    chosen: list[Example] = []
    while len(chosen) < size:
        for key in sorted(queues):
            if queues[key] and len(chosen) < size:
                chosen.append(queues[key].pop())
    return chosen
