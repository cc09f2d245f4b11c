"""Campaign: grow where it pays, stop when it does not.

Each step makes an iteration that grows the last one's rows, compares it with the incumbent (the last accepted iteration; at first the
untrained model) on the frozen exam, and decides. There is no state but the manifests: killed anywhere, the same call finds what is
finished, takes the same decisions from it, and goes on.

Decisions of people on rows reach the next step that grows. Where a campaign has stopped or asks for a look by hand, the same call, after
they decided, takes one more step of the same size with their decisions, and goes on growing if that step's verdict allows it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.errors import UsageError
from datagen.library import Roots
from datagen.pipeline.iteration import Outcome, Plan
from datagen.pipeline.pricing import first_step_cost
from datagen.pipeline.priorities import quotas, read_priorities
from datagen.pipeline.progress import Listener, Silent
from datagen.pipeline.recipe import Recipe
from datagen.pipeline.run import Iterations, undecided
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
    library: Roots = (),
    batch: bool = False,
    on_step: Callable[[Plan, float], None] | None = None,
) -> CampaignResult:
    """Run a campaign over the recipe's sizes until a rule of ``pipeline/stopping.py`` ends it.

    Args:
        recipe: its ``sizes`` are the steps, growing, at most ten.
        limits: target loss, budget, smallest gain of interest (default: the recipe's delta, no target, no budget).
        control: a gain over an incumbent must also hold against its rows trained for as many steps.
        guided: new rows go where coverage is low and loss is high (``pipeline/priorities.py``), unless the recipe has quotas of its own.
        library: folders searched for ``prompts/`` before the built-in library; default: the workspace.
        batch: ask through the providers' batch APIs: half the price, answers within a day. A campaign that was stopped meanwhile takes the
            answers when it goes on.
        on_step: called before each step with its plan and its estimated cost, 0 for a step that is finished already.

    Raises:
        UsageError: more than ten sizes; the documents folder is missing; ``batch``, and no model of the recipe has a batch API.
        WorkspaceBusy: another datagen holds the workspace.
        DatagenError: a stage failed; finished iterations are kept.
    """
    if len(recipe.sizes) > MOST_LOOKS:
        raise UsageError(f"{len(recipe.sizes)} sizes: a campaign takes at most {MOST_LOOKS} verdicts on one exam", hint="use fewer sizes")
    limits = limits or Limits(delta=recipe.probe.delta)
    iterations = Iterations(recipe, workspace, docs, listener or Silent(), library=library, budget=limits.budget, batch=batch)
    campaign = _Campaign(iterations, limits, control=control, guided=guided, on_step=on_step)
    with workspace.lock():
        for position, size in enumerate(recipe.sizes):
            campaign.remaining = recipe.sizes[position + 1 :]
            step = campaign.grow(size)
            grown = step.manifest
            while step.decision.action != "continue" and (root := campaign.waiting(grown)) is not None:
                step = campaign.review(size, grown, root)
            if step.decision.action != "continue":
                break
    last = campaign.steps[-1]
    return CampaignResult(tuple(campaign.steps), campaign.incumbent, last.decision, last.outcome.folder / "report.html")


class _Campaign:
    """The steps taken so far; every one is found again from its manifest, or made."""

    def __init__(
        self, iterations: Iterations, limits: Limits, *, control: bool, guided: bool, on_step: Callable[[Plan, float], None] | None
    ) -> None:
        self._iterations, self._limits, self._control, self._on_step = iterations, limits, control, on_step
        self._guided = guided and not iterations.recipe.generate.quotas
        self.steps: list[Step] = []
        self.incumbent: Manifest | None = None
        self.remaining: Sequence[int] = ()

    def grow(self, size: int) -> Step:
        """Take the step to ``size`` rows."""
        parent = self.steps[-1].manifest if self.steps else None
        wanted = _quotas(self._iterations.workspace, parent, size) if self._guided and parent else None
        return self._take(self._plan(size, parent, quotas=wanted))

    def waiting(self, grown: Manifest) -> str | None:
        """Return the root of people's decisions that the last step does not know yet; None without any, or without a look left."""
        if len(self.steps) >= MOST_LOOKS:
            return None
        return undecided(self._iterations.workspace, self.steps[-1].manifest, grown)

    def review(self, size: int, grown: Manifest, root: str) -> Step:
        """Take one more step of the same size, with people's decisions on the rows of ``grown``."""
        return self._take(self._plan(size, self.steps[-1].manifest, reviews=(grown.fingerprint, root)))

    def _plan(
        self, size: int, parent: Manifest | None, *, quotas: dict[str, int] | None = None, reviews: tuple[str, str] | None = None
    ) -> Plan:
        return self._iterations.plan(
            size,
            parent=parent,
            baseline=self.incumbent,
            look=len(self.steps) + 1,
            control=self._control and self.incumbent is not None,
            vault=True,
            quotas=quotas,
            reviews=reviews,
        )

    def _take(self, plan: Plan) -> Step:
        history = [s.manifest for s in self.steps]
        found = self._iterations.finished(plan)
        if self._on_step:
            self._on_step(plan, 0.0 if found else self._cost_before(plan, history))
        if found is None:
            outcome = self._iterations.make(plan, until="probe")
            assert outcome.manifest is not None
            manifest = outcome.manifest
        else:
            outcome, manifest = Outcome(self._iterations.workspace.iteration(plan.number), found, found.funnel), found
        history = [*history, manifest]
        next_cost = _cost_after(history, self.remaining[0]) if self.remaining else 0.0
        decision = decide(history, remaining=self.remaining, limits=self._limits, next_cost=next_cost)
        self.incumbent = manifest if manifest.accepted else self.incumbent
        self.steps.append(Step(outcome, manifest, found is not None, decision))
        return self.steps[-1]

    def _cost_before(self, plan: Plan, history: Sequence[Manifest]) -> float:
        """Estimate a step's money: the first from the prompts, later ones from what a row has cost so far."""
        if history:
            return _cost_after(history, plan.size)
        made = self._iterations
        return first_step_cost(made.recipe, made.docs, plan.size, workspace=made.workspace, library=made.library, batch=made.batch)


def _quotas(workspace: Workspace, parent: Manifest, size: int) -> dict[str, int]:
    missing = size - parent.datasets["train"].rows
    return quotas(read_priorities(workspace, parent, rows=missing)) if missing > 0 else {}


def _cost_after(history: Sequence[Manifest], size: int) -> float:
    """Estimate the money for growing to ``size`` rows from what an accepted row has cost so far; 0 before the first step."""
    rows = history[-1].datasets["train"].rows if history and "train" in history[-1].datasets else 0
    return sum(m.cost for m in history) / rows * max(0, size - rows) if rows else 0.0
