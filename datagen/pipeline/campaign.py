"""Campaign: grow where it pays, stop when it does not.

Each step makes an iteration that grows the last one's rows, compares it with the incumbent (the last accepted iteration; at first the
untrained model) on the frozen exam, and decides. There is no state but the manifests: killed anywhere, the same call finds what is
finished, takes the same decisions from it, and goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.errors import UsageError
from datagen.pipeline.iteration import Outcome, Plan
from datagen.pipeline.priorities import quotas, read_priorities
from datagen.pipeline.progress import Listener, Silent
from datagen.pipeline.recipe import Recipe
from datagen.pipeline.run import Iterations
from datagen.pipeline.stopping import Decision, Limits, decide
from datagen.schemas.manifest import Manifest
from datagen.workspace import Workspace

MOST_LOOKS = 10
"""A campaign takes at most this many verdicts on one exam: alpha is spent as 1/k^2, and the vault is opened at most ten times."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a campaign: the iteration, whether it was finished before, and the decision taken after it."""

    outcome: Outcome
    manifest: Manifest
    skipped: bool
    decision: Decision


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """What a campaign ended with; ``incumbent`` is the iteration to train on in full, None if none beat the untrained model."""

    steps: tuple[Step, ...]
    incumbent: Manifest | None
    decision: Decision
    report: Path


def iterate(
    recipe: Recipe,
    *,
    workspace: Workspace,
    docs: Path | None = None,
    limits: Limits | None = None,
    control: bool = True,
    guided: bool = True,
    listener: Listener | None = None,
    on_step: Callable[[Plan, float], None] | None = None,
) -> CampaignResult:
    """Run a campaign over the recipe's sizes until a rule of ``pipeline/stopping.py`` ends it.

    Args:
        recipe: its ``sizes`` are the steps, growing, at most ten.
        limits: target loss, budget, smallest gain of interest (default: the recipe's delta, no target, no budget).
        control: a gain over an incumbent must also hold against its rows trained for as many steps.
        guided: new rows go where coverage is low and loss is high (``pipeline/priorities.py``), unless the recipe has quotas of its own.
        on_step: called before each step with its plan and its estimated cost.

    Raises:
        UsageError: more than ten sizes; the documents folder is missing.
        WorkspaceBusy: another datagen holds the workspace.
        DatagenError: a stage failed; finished iterations are kept.
    """
    if len(recipe.sizes) > MOST_LOOKS:
        raise UsageError(f"{len(recipe.sizes)} sizes: a campaign takes at most {MOST_LOOKS} verdicts on one exam", hint="use fewer sizes")
    limits = limits or Limits(delta=recipe.probe.delta)
    iterations = Iterations(recipe, workspace, docs, listener or Silent(), budget=limits.budget)
    steps: list[Step] = []
    incumbent: Manifest | None = None
    with workspace.lock():
        for look, size in enumerate(recipe.sizes, start=1):
            parent = steps[-1].manifest if steps else None
            plan = iterations.plan(
                size,
                parent=parent,
                baseline=incumbent,
                look=look,
                control=control and incumbent is not None,
                vault=True,
                quotas=_quotas(workspace, parent, size) if guided and parent and not recipe.generate.quotas else None,
            )
            if on_step:
                on_step(plan, _estimated_cost(steps, size))
            found = iterations.finished(plan)
            if found is None:
                outcome = iterations.make(plan, until="probe")
                assert outcome.manifest is not None
                manifest = outcome.manifest
            else:
                outcome, manifest = Outcome(workspace.iteration(plan.number), found, found.funnel), found
            remaining = recipe.sizes[look:]
            history = [*(s.manifest for s in steps), manifest]
            decision = decide(
                history, remaining=remaining, limits=limits, next_cost=_cost_after(history, remaining[0]) if remaining else 0.0
            )
            steps.append(Step(outcome, manifest, found is not None, decision))
            incumbent = manifest if manifest.accepted else incumbent
            if decision.action != "continue":
                break
    last = steps[-1]
    return CampaignResult(tuple(steps), incumbent, last.decision, last.outcome.folder / "report.html")


def _quotas(workspace: Workspace, parent: Manifest, size: int) -> dict[str, int]:
    missing = size - parent.datasets["train"].rows
    return quotas(read_priorities(workspace, parent, rows=missing)) if missing > 0 else {}


def _estimated_cost(steps: Sequence[Step], size: int) -> float:
    return _cost_after([s.manifest for s in steps], size)


def _cost_after(history: Sequence[Manifest], size: int) -> float:
    """Estimate the money for growing to ``size`` rows from what an accepted row has cost so far; 0 before the first step."""
    rows = history[-1].datasets["train"].rows if history and "train" in history[-1].datasets else 0
    return sum(m.cost for m in history) / rows * max(0, size - rows) if rows else 0.0
