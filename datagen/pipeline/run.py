"""Run a recipe: one iteration for each of its sizes, each compared with the one before; what is done already is skipped.

An iteration is recognised by the fingerprint of recipe, documents, parent and code. The same command after a crash
goes on where it was; after a finished run it ends in seconds; after a change of recipe or documents it begins new iterations.
People's decisions on rows (``reviews``) reach every iteration begun after them; after the last size they make one more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from datagen.errors import UsageError
from datagen.hashing import fingerprint, sha256_hex
from datagen.jsonl import read_json
from datagen.library import Roots, builtin_root
from datagen.pipeline.iteration import Outcome, Plan, run_iteration
from datagen.pipeline.ledger import read_ledger
from datagen.pipeline.manifest import read_manifest, write_manifest
from datagen.pipeline.progress import Listener, Silent
from datagen.pipeline.recipe import Recipe, Stage
from datagen.pipeline.reviews import NO_REVIEWS, ReviewLog
from datagen.pipeline.sources import ingest_key
from datagen.pipeline.stage_store import code_fingerprint
from datagen.report.advice import advise
from datagen.report.data import gather
from datagen.report.html import write_report
from datagen.schemas.manifest import Manifest
from datagen.workspace import Workspace


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run ended with: an outcome for each size, and which of them had been finished before."""

    outcomes: tuple[Outcome, ...]
    skipped: tuple[int, ...]
    report: Path | None
    advice: str


def own_prompts(library: Roots) -> list[list[str]]:
    """Return place, name and sha256 of the user's own prompts: an edited one makes other rows. Released built-in ones never change."""
    folders = [folder for folder in (root.resolve() / "prompts" for root in library) if folder != builtin_root() / "prompts"]
    files = [(f"{at}", folder, file) for at, folder in enumerate(folders) for file in sorted(folder.rglob("*.md"))]
    return [[at, file.relative_to(folder).as_posix(), sha256_hex(file.read_bytes())] for at, folder, file in files]


class Iterations:
    """Finds or makes iterations of one recipe over one folder of documents; the caller holds the workspace lock.

    Raises:
        UsageError: the documents folder is missing, or a path in the recipe is wrong.
    """

    def __init__(
        self,
        recipe: Recipe,
        workspace: Workspace,
        docs: Path | None,
        listener: Listener,
        *,
        library: Roots = (),
        budget: float | None = None,
        batch: bool = False,
    ) -> None:
        self.library = library or (workspace.root,)
        self.budget = budget
        self.batch = batch
        self.recipe = recipe
        self.workspace = workspace
        self.docs = docs or workspace.root / recipe.docs
        self.listener = listener
        self.docs_key = ingest_key(self.docs, recipe.chunk.max_tokens)
        if recipe.exam.gold and not recipe.exam.gold.is_file():
            raise UsageError(f"exam.gold: {recipe.exam.gold}: no such file")
        code = code_fingerprint("pipeline", "generate", "dedup", "exam.py", "ingest", "clients", "probe", "export", "schemas", "text.py")
        settings = recipe.model_dump(mode="json", exclude={"sizes", "docs", "report_language", "description", "until"})
        self._key = [settings, self.docs_key, code, *own_prompts(self.library)]

    def plan(
        self,
        size: int,
        *,
        parent: Manifest | None,
        baseline: Manifest | None,
        look: int,
        control: bool = False,
        vault: bool = False,
        quotas: Mapping[str, int] | None = None,
        reviews: tuple[str, str] | None = None,
    ) -> Plan:
        """Say what the iteration of this size is, and under which number it lies or will lie.

        ``reviews``, for one made only because of people's decisions: the fingerprint of the iteration grown last, and the decisions' root.
        """
        asked = [control, vault, dict(quotas or {})]
        special = [baseline.fingerprint if baseline else None, *asked] if baseline != parent or any(asked) else []
        key = fingerprint([*self._key, size, look, parent.fingerprint if parent else None, *special, *(reviews or ())])
        number = _find(self.workspace, key)
        review_of = reviews[0] if reviews else ""
        return Plan(number, size, parent, baseline, look, key, self.docs, self.docs_key, control, vault, quotas or {}, review_of)

    def finished(self, plan: Plan) -> Manifest | None:
        return read_manifest(self.workspace.iteration(plan.number))

    def make(self, plan: Plan, *, until: Stage) -> Outcome:
        """Run an iteration; if it reaches its end, write its report page and, last, its manifest."""
        recipe = self.recipe
        if plan.quotas:
            recipe = recipe.model_copy(update={"generate": recipe.generate.model_copy(update={"quotas": dict(plan.quotas)})})
        outcome = run_iteration(
            self.workspace, recipe, plan, until=until, listener=self.listener, library=self.library, budget=self.budget, batch=self.batch
        )
        if outcome.manifest is None:
            return outcome
        advice = advise(outcome.manifest, plan.baseline, self.recipe.report_language)
        manifest = outcome.manifest.model_copy(update={"advice": advice})
        ledger = [*read_ledger(self.workspace), manifest]
        write_report(gather(self.workspace, manifest, ledger), outcome.folder / "report.html", self.recipe.report_language)
        write_manifest(outcome.folder, manifest)
        return replace(outcome, manifest=manifest)


def run(
    recipe: Recipe,
    *,
    workspace: Workspace,
    docs: Path | None = None,
    until: Stage | None = None,
    listener: Listener | None = None,
    library: Roots = (),
    budget: float | None = None,
    batch: bool = False,
) -> RunResult:
    """Run a recipe to its last stage, or up to the stage ``until``, of its first unfinished iteration.

    Args:
        recipe: what to run.
        workspace: where to; holds what earlier calls made.
        docs: folder of documents, instead of the recipe's.
        until: the last stage to run.
        listener: told of stages and progress.
        library: folders searched for ``prompts/`` before the built-in library; default: the workspace.
        budget: most dollars that all stored responses may cost, earlier ones included; never crossed.
        batch: ask through the providers' batch APIs: half the price, answers within a day.

    Raises:
        UsageError: the documents folder is missing, or a recipe path is wrong.
        WorkspaceBusy: another datagen holds the workspace.
        DatagenError: a stage failed; finished stages are kept.
    """
    iterations = Iterations(recipe, workspace, docs, listener or Silent(), library=library, budget=budget, batch=batch)
    last_stage = until or recipe.until
    outcomes: list[Outcome] = []
    skipped: list[int] = []

    def advance(plan: Plan) -> Manifest | None:
        manifest = iterations.finished(plan)
        if manifest is None:
            outcomes.append(iterations.make(plan, until=last_stage))
        else:
            skipped.append(plan.number)
            outcomes.append(Outcome(workspace.iteration(plan.number), manifest, manifest.funnel))
        return outcomes[-1].manifest

    with workspace.lock():
        grown: Manifest | None = None
        for look, size in enumerate(recipe.sizes, start=1):
            grown = advance(iterations.plan(size, parent=grown, baseline=grown, look=look))
            if grown is None:
                return RunResult(tuple(outcomes), tuple(skipped), None, "")
        # Decisions taken since then make one more iteration of the last size, compared with the one they are about.
        last = grown
        while last is not None and grown is not None and (root := undecided(workspace, last, grown)) is not None:
            look = len(outcomes) + 1
            last = advance(iterations.plan(recipe.sizes[-1], parent=last, baseline=last, look=look, reviews=(grown.fingerprint, root)))
            if last is None:
                return RunResult(tuple(outcomes), tuple(skipped), None, "")
    finished = outcomes[-1]
    assert finished.manifest is not None
    return RunResult(tuple(outcomes), tuple(skipped), finished.folder / "report.html", finished.manifest.advice)


def undecided(workspace: Workspace, manifest: Manifest, grown: Manifest) -> str | None:
    """Return the root of the decisions the iteration after ``manifest`` takes, or took, into account; None without new ones."""
    following = [m for m in read_ledger(workspace) if m.parent == manifest.number and m.fingerprints.get("review_of") == grown.fingerprint]
    if following:
        return following[0].fingerprints["reviews"]
    root = ReviewLog.of(workspace).snapshot().root
    return root if root != manifest.fingerprints.get("reviews", NO_REVIEWS) else None


def _find(workspace: Workspace, key: str) -> int:
    """Return the iteration begun with this fingerprint, else the next free number."""
    numbers = workspace.iteration_numbers()
    for number in numbers:
        begun = workspace.iteration(number) / "begun.json"
        # A folder without begun.json was left by a kill before anything was in it.
        if not begun.exists() or read_json(begun)["key"] == key:
            return number
    return numbers[-1] + 1 if numbers else 1
