"""``datagen run`` of a recipe of kind audit."""

from pathlib import Path
from typing import TYPE_CHECKING

from datagen.cli.console import emit

if TYPE_CHECKING:
    from datagen.pipeline.recipe import AuditRecipe
    from datagen.workspace import Workspace


def run_audit_recipe(
    recipe: "AuditRecipe", workspace: "Workspace", docs: Path | None, *, dry_run: bool, progress: Path | None, as_json: bool
) -> None:
    """Run it, or with ``dry_run`` print what it would read and write."""
    about = docs or (workspace.root / recipe.docs if recipe.docs else None)
    if dry_run:
        plan = {
            "recipe": f"{recipe.name} v{recipe.version}",
            "data": str(workspace.root / recipe.data),
            "docs": str(about) if about else None,
            "against": str(workspace.root / recipe.against) if recipe.against else None,
            "registers": f"{recipe.register_as.name}_train, {recipe.register_as.name}_eval",
        }
        emit(plan, as_json=as_json, human="\n".join([*(f"{key}: {value}" for key, value in plan.items()), "nothing was written"]))
        return
    from rich.console import Group
    from rich.text import Text

    from datagen.cli.listeners import listening
    from datagen.pipeline.auditing import run_audit
    from datagen.report.audit.terminal import audit_tables

    with listening(progress) as listener:
        done = run_audit(recipe, workspace=workspace, docs=docs, listener=listener)
    counts = done.result.counts()
    value = {
        "rows": done.result.source.n_rows,
        "kept": done.result.kept,
        "to_review": len(done.result.review_queue()),
        "quarantined": done.quarantined,
        "defects": counts,
        "areas": {area.name: area.state for area in done.result.areas},
        "folder": str(done.folder),
        "registered": done.registered.to_json(),
    }
    entries = f"{done.registered.train_entry} {done.registered.train_rows}, {done.registered.eval_entry} {done.registered.eval_rows}"
    end = f"page:       {done.folder / 'audit.html'}\nto read:    {done.folder / 'review.jsonl'}\nregistered: {entries}"
    emit(value, as_json=as_json, human=None if as_json else Group(audit_tables(done.result), Text(end, overflow="fold")))
