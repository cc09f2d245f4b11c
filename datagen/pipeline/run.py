"""Run a recipe: one iteration for each of its sizes, each compared with the one before; what is done already is skipped.

An iteration is recognised by the fingerprint of recipe, documents, parent and code. The same command after a crash
goes on where it was; after a finished run it ends in seconds; after a change of recipe or documents it begins new iterations.
"""

from dataclasses import dataclass
from pathlib import Path

from datagen.errors import UsageError
from datagen.hashing import fingerprint
from datagen.jsonl import read_json
from datagen.pipeline.iteration import Outcome, Plan, run_iteration
from datagen.pipeline.ledger import read_ledger
from datagen.pipeline.manifest import read_manifest, write_manifest
from datagen.pipeline.progress import Listener, Silent
from datagen.pipeline.recipe import Recipe, Stage
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


def run(
    recipe: Recipe, *, workspace: Workspace, docs: Path | None = None, until: Stage = "probe", listener: Listener | None = None
) -> RunResult:
    """Run a recipe end to end, or up to a stage of its first unfinished iteration.

    Raises:
        UsageError: the documents folder is missing, or a recipe path is wrong.
        WorkspaceBusy: another datagen holds the workspace.
        DatagenError: a stage failed; finished stages are kept.
    """
    listener = listener or Silent()
    folder = docs or workspace.root / recipe.docs
    key_of_docs = ingest_key(folder, recipe.chunk.max_tokens)
    if recipe.exam.gold and not recipe.exam.gold.is_file():
        raise UsageError(f"exam.gold: {recipe.exam.gold}: no such file")
    code = code_fingerprint("pipeline", "generate", "dedup", "split.py", "ingest", "clients", "probe", "export", "schemas", "text.py")
    outcomes: list[Outcome] = []
    skipped: list[int] = []
    parent: Manifest | None = None
    with workspace.lock():
        for look, size in enumerate(recipe.sizes, start=1):
            settings = recipe.model_dump(mode="json", exclude={"sizes", "docs", "report_language", "description"})
            key = fingerprint([settings, size, look, key_of_docs, parent.fingerprint if parent else None, code])
            number = _find(workspace, key)
            manifest = read_manifest(workspace.iteration(number))
            if manifest is not None:
                skipped.append(number)
                outcomes.append(Outcome(workspace.iteration(number), manifest, manifest.funnel))
            else:
                plan = Plan(number, size, parent, look, key, folder, key_of_docs)
                outcome = run_iteration(workspace, recipe, plan, until=until, listener=listener)
                if outcome.manifest is None:
                    return RunResult((*outcomes, outcome), tuple(skipped), None, "")
                manifest = outcome.manifest.model_copy(update={"advice": advise(outcome.manifest, parent, recipe.report_language)})
                write_report(
                    gather(workspace, manifest, [*read_ledger(workspace), manifest]), outcome.folder / "report.html", recipe.report_language
                )
                write_manifest(outcome.folder, manifest)
                outcomes.append(Outcome(outcome.folder, manifest, outcome.funnel, outcome.probe))
            parent = manifest
    last = outcomes[-1]
    assert last.manifest is not None
    return RunResult(tuple(outcomes), tuple(skipped), last.folder / "report.html", last.manifest.advice)


def _find(workspace: Workspace, key: str) -> int:
    """Return the iteration begun with this fingerprint, else the next free number."""
    numbers = workspace.iteration_numbers()
    for number in numbers:
        begun = workspace.iteration(number) / "begun.json"
        # A folder without begun.json was left by a kill before anything was in it.
        if not begun.exists() or read_json(begun)["key"] == key:
            return number
    return numbers[-1] + 1 if numbers else 1
