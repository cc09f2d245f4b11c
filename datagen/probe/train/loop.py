"""One probe run: train a LoRA adapter on one arm's rows with one seed, and score the exam on the way.

Gradient clip 1, loss = mean over the batch's completion tokens (preferences: over its pairs). The same backend, rows, config and seed give
a bit-identical adapter on the same machine, also when a run was killed and went on from its checkpoint. Imports torch at the top.
"""

import random
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch

from datagen.probe.config import ProbeConfig
from datagen.probe.data.batch import group
from datagen.probe.data.encode import Example, training_batches
from datagen.probe.models.backend import Backend, one_math, reset_adapter
from datagen.probe.train.checkpoint import load_checkpoint, save_checkpoint
from datagen.probe.train.evaluate import ItemLoss, curve_subset, dev_half, evaluate
from datagen.probe.train.objective import References, example_losses, packs
from datagen.probe.train.optimizer import Named, WeightAverage, build_optimizer, restore, set_rate, snapshot
from datagen.probe.train.stopping import Best

CHECKPOINT_S = 60.0
"""A checkpoint is written at every evaluation, and after this long without one."""


@dataclass(slots=True)
class Trained:
    """What a run leaves behind besides its adapter.

    Attributes:
        steps: optimizer steps made (fewer than planned if it stopped early).
        tokens: tokens read.
        train_losses: (step, mean training loss since the last one), at every evaluation.
        evals: (step, losses); the last one is the score.
        best_step: the step of the evaluation with the lowest loss on the primary eval set.
        best: the weights then, in :func:`reset_adapter`'s order; empty if they are the ones scored.
        stopped: whether it stopped early.
    """

    steps: int
    tokens: int
    train_losses: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    evals: list[tuple[int, list[ItemLoss]]] = field(default_factory=list[tuple[int, list[ItemLoss]]])
    best_step: int = 0
    best: list[torch.Tensor] = field(default_factory=list[torch.Tensor])
    stopped: bool = False
    seconds: float = 0.0


class Task(NamedTuple):
    """What one run is given: rows (in any order), every eval question, settings, seed and number of optimizer steps."""

    rows: Sequence[Example]
    exam: Sequence[Example]
    config: ProbeConfig
    seed: int
    steps: int
    references: References | None = None


def train_run(
    backend: Backend, task: Task, *, folder: Path | None = None, on_step: Callable[[int], None] | None = None
) -> Trained:
    """Train from scratch, or from the checkpoint in ``folder``, and leave the scored adapter in ``backend``.

    Args:
        folder: where checkpoints go; None writes none.
        on_step: called after each optimizer step with the number done.
    """
    run = _Run(backend, task)
    stored = load_checkpoint(folder)
    if stored is not None:
        run.load(stored)
        if on_step:
            on_step(run.step)
    started = saved = time.monotonic()
    before = run.result.seconds
    with one_math():
        for batch in run.batches():
            run.make_step(batch)
            evaluated = run.evaluate_if_due()
            if on_step:
                on_step(run.step)
            if run.finished:
                break
            if folder is not None and (evaluated or time.monotonic() - saved > CHECKPOINT_S):
                run.result.seconds = before + time.monotonic() - started
                save_checkpoint(folder, run.state())
                saved = time.monotonic()
        run.score()
    run.result.seconds = before + time.monotonic() - started
    return run.result


class _Run:
    """A run's state between two steps."""

    def __init__(self, backend: Backend, task: Task) -> None:
        self.backend, self.task, self.config = backend, task, task.config
        self.rows = sorted(task.rows, key=lambda e: e.id)
        self.parameters: Named = reset_adapter(backend, task.seed)
        self.optimizer = build_optimizer(self.parameters, self.config)
        self.average = WeightAverage(self.config.average, task.steps)
        per_run = self.config.evals_per_run
        self.marks = {round(task.steps * k / per_run) for k in range(1, per_run + 1)} | {task.steps}
        dev = dev_half(task.exam, self.config.primary) if self.config.patience else list(task.exam)
        held = {e.id for e in dev} if self.config.patience else set[str]()
        self.judged = [e for e in task.exam if e.id not in held] or list(task.exam)
        self.small = curve_subset(dev or task.exam, self.config.curve_items)
        self.best = Best(self.config.primary)
        self.window: list[float] = []
        self.step = 0
        self.finished = False
        self.result = Trained(steps=0, tokens=0)

    def batches(self) -> Generator[list[Example]]:
        """Yield the batches from the current step on."""
        done = epoch = 0
        while True:
            rng = random.Random(f"order:{self.task.seed}:{epoch}")
            epoch += 1
            batches = training_batches(self.rows, batch_size=self.config.batch_size, rng=rng)
            start = max(0, self.step - done)
            done += len(batches)
            yield from batches[start:]

    def make_step(self, batch: Sequence[Example]) -> None:
        set_rate(self.optimizer, self.step, self.task.steps, self.config)
        if self.config.dropout:
            torch.manual_seed(random.Random(f"dropout:{self.task.seed}:{self.step}").getrandbits(62))
        self.window.append(optimize(self.backend, batch, self.parameters, self.optimizer, self.config, self.task.references))
        self.step += 1
        self.average.update(self.step, self.parameters)
        self.result.tokens += sum(e.length for e in batch)

    def evaluate_if_due(self) -> bool:
        """Score the curve's questions if this step is due for it; the last step's are scored with the whole exam, unless it may stop."""
        if self.step not in self.marks:
            return False
        self.result.train_losses.append((self.step, sum(self.window) / len(self.window)))
        self.window = []
        self.finished = self.step == self.task.steps
        if self.finished and not self.config.patience:
            return True
        items = self._evaluate(self.small)
        self.result.evals.append((self.step, items))
        self.best.update(self.step, items, snapshot(self.parameters))
        if self.config.patience and self.best.waited >= self.config.patience and not self.finished:
            self.finished = self.result.stopped = True
        return True

    def score(self) -> None:
        """Choose the weights and score the exam with them."""
        result, step = self.result, self.step
        if self.config.patience:
            restore(self.parameters, self.best.weights)
            step = self.best.step
        else:
            self.average.apply(self.parameters)
        items = self._evaluate(self.judged)
        if not self.config.patience:
            wanted = {e.id for e in self.small}
            self.best.update(step, [i for i in items if i.example.id in wanted], [])
        result.evals.append((step, items))
        result.steps, result.best_step, result.best = self.step, self.best.step, [] if self.config.patience else self.best.weights

    def _evaluate(self, exam: Sequence[Example]) -> list[ItemLoss]:
        return evaluate(self.backend, exam, config=self.config, references=self.task.references)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, as tensors, numbers, strings, lists and dicts."""
        return {
            "step": self.step,
            "tokens": self.result.tokens,
            "seconds": self.result.seconds,
            "window": self.window,
            "train_losses": [list(t) for t in self.result.train_losses],
            "evals": [[step, [[i.example.id, i.nll, i.fact_nll] for i in items]] for step, items in self.result.evals],
            "adapter": snapshot(self.parameters),
            "optimizer": self.optimizer.state_dict(),
            "average": [self.average.count, self.average.mean],
            "best": [self.best.step, self.best.loss, self.best.weights, self.best.waited, self.best.gained],
        }

    def load(self, state: dict[str, Any]) -> None:
        examples = {e.id: e for e in self.task.exam}
        self.step = state["step"]
        self.result.tokens, self.result.seconds, self.window = state["tokens"], state["seconds"], state["window"]
        self.result.train_losses = [(step, loss) for step, loss in state["train_losses"]]
        self.result.evals = [
            (step, [ItemLoss(examples[name], nll, fact) for name, nll, fact in items]) for step, items in state["evals"]
        ]
        restore(self.parameters, state["adapter"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.count, self.average.mean = state["average"]
        self.best.step, self.best.loss, self.best.weights, self.best.waited, self.best.gained = state["best"]


def optimize(
    backend: Backend,
    batch: Sequence[Example],
    parameters: Named,
    optimizer: torch.optim.Optimizer,
    config: ProbeConfig,
    references: References | None = None,
) -> float:
    """Make one optimizer step and return the batch's loss; a batch over the token budget is split and its gradients summed."""
    weight = sum(e.n_tokens for e in batch)
    total = 0.0
    packed = packs(backend, batch)
    for examples in group(batch, token_budget=config.token_budget, packed=packed):
        loss = example_losses(backend, examples, packed=packed, references=references, beta=config.beta).nll.sum()
        (loss / weight).backward()
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_([p for _, p in parameters], 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return total / weight
