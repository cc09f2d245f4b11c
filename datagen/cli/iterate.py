"""``datagen iterate RECIPE --sizes 100,300,1000``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datagen.cli.console import JsonOption, emit, roots_of, say, workspace_of

if TYPE_CHECKING:
    from datagen.pipeline.campaign import CampaignResult
    from datagen.pipeline.iteration import Plan


def iterate(
    ctx: typer.Context,
    recipe: Annotated[str, typer.Argument(help="Recipe file or name, for example grow.")],
    sizes: Annotated[str, typer.Option("--sizes", help="Rows of each step, growing: 100,300,1000 (default: the recipe's).")] = "",
    docs: Annotated[Path | None, typer.Option("--docs", help="Folder of documents, instead of the recipe's.")] = None,
    budget: Annotated[float | None, typer.Option("--budget", min=0, help="Most dollars all stored responses may cost.")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Send through the batch API: half the price, answers within a day.")] = False,
    target: Annotated[float | None, typer.Option("--target", help="Stop at this loss, nats per answer token.")] = None,
    control: Annotated[bool, typer.Option(help="A gain must also hold against longer training on the incumbent's rows.")] = True,
    guided: Annotated[bool, typer.Option(help="New rows go where coverage is low and loss is high (datagen next).")] = True,
    settings: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE by dotted path, for example probe.seeds=2.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    from datagen.pipeline.campaign import iterate as run_campaign
    from datagen.pipeline.recipe import load_recipe
    from datagen.pipeline.stopping import Limits

    workspace = workspace_of(ctx)
    chosen = [*(settings or []), *([f"sizes=[{sizes}]"] if sizes else [])]
    loaded = load_recipe(recipe, settings=chosen, roots=roots_of(ctx))
    folder = docs or workspace.root / loaded.docs
    if dry_run:
        from datagen.cli.run import show_plan

        show_plan(loaded, folder, workspace, library=roots_of(ctx), batch=batch, as_json=as_json)
        return
    from datagen.cli.listeners import listening

    def before(plan: "Plan", cost: float) -> None:
        against = f"v{plan.baseline.number}" if plan.baseline else "the untrained model"
        where = ", ".join(f"{name} +{n}" for name, n in plan.quotas.items())
        price = f", about {cost:.2f} to pay" if cost else ""
        why = f", with people's decisions on v{plan.parent.number}" if plan.review_of and plan.parent else ""
        say(f"step {plan.look}: {plan.size} rows against {against}{why}{price}" + (f"; first {where}" if where else ""))

    limits = Limits(target=target, budget=budget, delta=loaded.probe.delta)
    with listening() as listener:
        result = run_campaign(
            loaded,
            workspace=workspace,
            docs=folder,
            limits=limits,
            control=control,
            guided=guided,
            listener=listener,
            library=roots_of(ctx),
            batch=batch,
            on_step=before,
        )
    value = {
        "steps": [
            {
                "iteration": s.manifest.number,
                "rows": s.manifest.datasets["train"].rows,
                "skipped": s.skipped,
                "review": bool(s.manifest.fingerprints.get("review_of")),
                "accepted": s.manifest.accepted,
                "verdict": s.manifest.verdict(),
                "control": s.manifest.control,
                "vault": s.manifest.vault,
                "cost": s.manifest.cost,
                "decision": {"action": s.decision.action, "code": s.decision.code, "zh": s.decision.zh, "en": s.decision.en},
            }
            for s in result.steps
        ],
        "incumbent": result.incumbent.number if result.incumbent else None,
        "decision": {"action": result.decision.action, "code": result.decision.code},
        "report": str(result.report),
    }
    emit(value, as_json=as_json, human=None if as_json else _summary(result, loaded.report_language))


def _summary(result: "CampaignResult", language: Any) -> Any:
    from rich.console import Group
    from rich.text import Text

    from datagen.report.terminal import ledger_table, verdict_lines

    parts: list[Any] = [ledger_table([s.manifest for s in result.steps])]
    for step in result.steps:
        parts += [verdict_lines(step.manifest), Text(f"  → {step.decision.sentence(language)}\n", overflow="fold")]
    full = result.incumbent.train_command if result.incumbent else "none: no iteration beat the untrained model"
    parts.append(Text(f"report:    {result.report}\nfull run:  {full}", overflow="fold"))
    return Group(*parts)
