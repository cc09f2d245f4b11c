"""``datagen run RECIPE``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datagen.cli.console import JsonOption, emit, roots_of, say, workspace_of

if TYPE_CHECKING:
    from datagen.library import Roots
    from datagen.pipeline.recipe import Recipe
    from datagen.workspace import Workspace


def run(
    ctx: typer.Context,
    recipe: Annotated[str, typer.Argument(help="Recipe file or name, for example quickstart.")],
    docs: Annotated[Path | None, typer.Option("--docs", help="Folder of documents, instead of the recipe's.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE by dotted path, for example probe.seeds=2.")] = None,
    until: Annotated[
        str, typer.Option("--until", help="Stop after: ingest, generate, clean, split, register, probe (default: the recipe's last).")
    ] = "",
    budget: Annotated[float | None, typer.Option("--budget", min=0, help="Most dollars all stored responses may cost.")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Send through the batch API: half the price, answers within a day.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check recipe and documents, print the plan, write nothing.")] = False,
    progress: Annotated[Path | None, typer.Option("--progress", help="Append progress to this file, one JSON object a line.")] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.errors import UsageError, suggest
    from datagen.pipeline.recipe import STAGES, AuditRecipe, Stage, load_any_recipe

    workspace = workspace_of(ctx)
    stage: Stage | None = next((s for s in STAGES if s == until), None)
    if until and stage is None:
        raise UsageError(f"--until {until}: no such stage", hint=suggest(until, STAGES))
    loaded = load_any_recipe(recipe, settings=settings or [], roots=roots_of(ctx))
    if isinstance(loaded, AuditRecipe):
        if until or budget is not None or batch:
            raise UsageError(f"{loaded.name} audits a dataset: --until, --budget and --batch have no meaning for it")
        from datagen.cli.audit_recipe import run_audit_recipe

        run_audit_recipe(loaded, workspace, docs, dry_run=dry_run, progress=progress, as_json=as_json)
        return
    folder = docs or workspace.root / loaded.docs
    if dry_run:
        show_plan(loaded, folder, workspace, library=roots_of(ctx), batch=batch, as_json=as_json)
        return
    from datagen.cli.listeners import listening
    from datagen.pipeline.run import run as run_recipe

    with listening(progress) as listener:
        result = run_recipe(
            loaded, workspace=workspace, docs=folder, until=stage, listener=listener, library=roots_of(ctx), budget=budget, batch=batch
        )
    for number in result.skipped:
        say(f"iteration {number:04d}: done already, skipped")
    value = {
        "iterations": [
            {
                "folder": str(o.folder),
                "skipped": o.manifest is not None and o.manifest.number in result.skipped,
                "manifest": o.manifest.model_dump(mode="json") if o.manifest else None,
                "funnel": [s.model_dump(mode="json") for s in o.funnel],
            }
            for o in result.outcomes
        ],
        "report": str(result.report) if result.report else None,
        "advice": result.advice,
    }
    emit(value, as_json=as_json, human=None if as_json else _summary(result))


def _summary(result: Any) -> Any:
    from rich.console import Group
    from rich.text import Text

    from datagen.report.terminal import funnel_table, verdict_lines

    parts: list[Any] = []
    for outcome in result.outcomes:
        parts.append(funnel_table(f"iteration {outcome.folder.name}", outcome.funnel))
        if outcome.manifest:
            parts.append(verdict_lines(outcome.manifest))
    last = result.outcomes[-1].manifest
    if last:
        parts.append(Text(f"\nreport:    {result.report}\nfull run:  {last.train_command}\nadvice:    {result.advice}", overflow="fold"))
    else:
        parts.append(Text(f"stopped as asked; the iteration lies in {result.outcomes[-1].folder}"))
    return Group(*parts)


def show_plan(recipe: "Recipe", folder: Path, workspace: "Workspace", *, library: "Roots", batch: bool, as_json: bool) -> None:
    """Print what a recipe would do with a folder of documents and what its models would cost; write nothing."""
    from datagen.cli.generation.price import FREE_TOLD, judge_line
    from datagen.ingest import ingest_paths
    from datagen.ingest.chunk import chunk_document
    from datagen.pipeline.pricing import price_recipe

    found = ingest_paths([folder])
    chunks = [c for d in found.documents for c in chunk_document(d, max_tokens=recipe.chunk.max_tokens)]
    priced = price_recipe(recipe, found.documents, chunks, workspace=workspace, library=library, batch=batch)
    plan = {
        "recipe": f"{recipe.name} v{recipe.version}",
        "documents": len(found.documents),
        "skipped": [s.model_dump(mode="json") for s in found.skipped],
        "chunks": len(chunks),
        "tokens": sum(c.n_tokens for c in chunks),
        "exam": recipe.exam.size,
        "sizes": list(recipe.sizes),
        "probe_runs": recipe.probe.seeds * len(recipe.sizes),
        "requests": sum(step.estimate.requests for step in priced),
        "cost_usd": round(sum(step.estimate.cost for step in priced), 6),
        "cost_most_usd": round(sum(step.estimate.cost_most for step in priced), 6),
        "prices": [step.to_json() for step in priced],
    }
    shown = {**plan, "skipped": len(found.skipped)}
    lines = [f"{key}: {value}" for key, value in shown.items() if key != "prices"]
    for step in priced:
        e = step.estimate
        price = f"about ${e.cost:.4f}, at most ${e.cost_most:.4f}"
        price = "no price known: write it into prices.yaml" if not step.known else FREE_TOLD if e.free else price
        asked = f"{e.requests} requests ({e.cached} stored) for {step.target} rows"
        lines.append(f"  {step.purpose} by {step.strategy}, {step.model or 'no model'}: {asked}, {price}")
        if e.judge:
            lines.append(f"    {judge_line(e.judge)}")
    emit(plan, as_json=as_json, human="\n".join([*lines, "nothing was written"]))
