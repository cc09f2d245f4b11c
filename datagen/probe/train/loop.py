"""One probe run: train a LoRA adapter on one arm's rows with one seed, and score the exam on the way.

AdamW without weight decay, 5 % warm-up then linear decay to zero, gradient clip 1, loss = mean over the batch's completion tokens.
The same backend, rows, config and seed give a bit-identical adapter on the same machine. Imports torch at the top: import it lazily.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from datagen.probe.config import ProbeConfig
from datagen.probe.data.batch import collate, group
from datagen.probe.data.encode import Example, training_batches
from datagen.probe.models.backend import Backend, one_math, reset_adapter
from datagen.probe.train.forward import token_nll

_WARMUP = 0.05


@dataclass(frozen=True, slots=True)
class ItemLoss:
    """Summed minus log-likelihood (nats) of one example's completion, and of its number and date tokens."""

    example: Example
    nll: float
    fact_nll: float


@dataclass(slots=True)
class Trained:
    """What a run leaves behind besides its adapter: losses by step; ``evals`` ends with the score."""

    steps: int
    tokens: int
    train_losses: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    evals: list[tuple[int, list[ItemLoss]]] = field(default_factory=list[tuple[int, list[ItemLoss]]])
    seconds: float = 0.0


def total_steps(rows: int, config: ProbeConfig) -> int:
    """Count optimizer steps for a number of rows."""
    return max(1, round(config.epochs * -(-rows // config.batch_size)))


def train_run(
    backend: Backend,
    rows: Sequence[Example],
    exam: Sequence[Example],
    *,
    config: ProbeConfig,
    seed: int,
    on_step: Callable[[int], None] | None = None,
) -> Trained:
    """Train from scratch and leave the adapter in ``backend``.

    Args:
        rows: the arm's rows; their order does not matter.
        exam: every eval question; the last evaluation scores all, earlier ones a fixed ``config.curve_items`` of them.
        on_step: called after each optimizer step with the number done.
    """
    started = time.monotonic()
    rows = sorted(rows, key=lambda e: e.id)
    steps = total_steps(len(rows), config)
    parameters = reset_adapter(backend, seed)
    optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=0.0)
    marks = {round(steps * k / config.evals_per_run): k for k in range(1, config.evals_per_run + 1)}
    small = curve_subset(exam, config.curve_items)
    result = Trained(steps=steps, tokens=0)
    step = epoch = 0
    window: list[float] = []
    with one_math():
        while step < steps:
            rng = random.Random(f"order:{seed}:{epoch}")
            epoch += 1
            for batch in training_batches(rows, batch_size=config.batch_size, rng=rng)[: steps - step]:
                for parameters_group in optimizer.param_groups:
                    parameters_group["lr"] = config.learning_rate * _schedule(step, steps)
                window.append(_step(backend, batch, parameters, optimizer, config))
                result.tokens += sum(len(e.ids) for e in batch)
                step += 1
                if step in marks or step == steps:
                    result.train_losses.append((step, sum(window) / len(window)))
                    window = []
                    result.evals.append((step, evaluate(backend, exam if step == steps else small, config=config)))
                if on_step:
                    on_step(step)
    result.seconds = time.monotonic() - started
    return result


def evaluate(backend: Backend, exam: Sequence[Example], *, config: ProbeConfig) -> list[ItemLoss]:
    """Score every example with the adapter as it is; results in input order, the same however they are batched up to rounding."""
    order = sorted(range(len(exam)), key=lambda i: (exam[i].language, len(exam[i].ids), i))
    losses: list[ItemLoss | None] = [None] * len(exam)
    backend.peft.eval()
    with torch.no_grad():
        at = 0
        packed = _packed(backend, exam)
        for examples in group([exam[i] for i in order], token_budget=config.token_budget, packed=packed):
            batch = collate(examples, packed=packed, device=backend.device)
            nll = token_nll(backend.causal, batch, fused=backend.fused)
            zero = torch.zeros(len(examples), dtype=torch.float64)
            owners, values = batch.owners.cpu(), nll.double().cpu()
            sums = zero.index_add(0, owners, values).tolist()
            facts = zero.index_add(0, owners, values * batch.facts.cpu()).tolist()
            for n, example in enumerate(examples):
                losses[order[at + n]] = ItemLoss(example, sums[n], facts[n])
            at += len(examples)
    backend.peft.train()
    return [loss for loss in losses if loss is not None]


def evaluate_base(backend: Backend, exam: Sequence[Example], *, config: ProbeConfig) -> list[ItemLoss]:
    """Score every example with the untrained model."""
    with backend.peft.disable_adapter(), one_math():
        return evaluate(backend, exam, config=config)


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


def _step(
    backend: Backend,
    batch: Sequence[Example],
    parameters: "list[torch.nn.Parameter]",
    optimizer: torch.optim.Optimizer,
    config: ProbeConfig,
) -> float:
    """Make one optimizer step; a batch over the token budget is split and its gradients summed."""
    n_tokens = sum(e.n_tokens for e in batch)
    total = 0.0
    packed = _packed(backend, batch)
    for examples in group(batch, token_budget=config.token_budget, packed=packed):
        nll = token_nll(backend.causal, collate(examples, packed=packed, device=backend.device), fused=backend.fused).sum()
        (nll / n_tokens).backward()
        total += float(nll.detach())
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total / n_tokens


def _packed(backend: Backend, examples: Sequence[Example]) -> bool:
    """Packed rows see every earlier token, so they must fit the model's sliding window."""
    return backend.packed and max(len(e.ids) for e in examples) < backend.window


def _schedule(step: int, steps: int) -> float:
    """Return the factor in (0, 1] for 0-based ``step``: 5 % warm-up, then linear decay that would reach zero after the last."""
    warm = max(1, round(_WARMUP * steps))
    if step < warm:
        return (step + 1) / warm
    return (steps - step) / max(1, steps - warm)
