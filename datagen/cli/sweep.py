"""``datagen sweep``: rank and target modules, the LoRA paper's two tables on your data."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from datagen.cli import inputs as given
from datagen.cli.console import JsonOption, workspace_of

if TYPE_CHECKING:
    from datagen.probe.growth.sweep import SweepResult, Table


def sweep(
    ctx: typer.Context,
    train: given.TrainOption = None,
    eval_file: given.EvalOption = None,
    rank: Annotated[str, typer.Option("--rank", help="LoRA ranks to try.")] = "1,2,4,8,64",
    targets: Annotated[
        str, typer.Option("--targets", help="Sets of target modules, divided by |: q,v|q,k,v,o|attention|mlp|all or layer names.")
    ] = "q,v|q,k,v,o|all",
    budget_rank: Annotated[
        int | None, typer.Option("--budget-rank", min=1, help="Second table: as many parameters as 'all' has at this rank.")
    ] = None,
    alpha: Annotated[float, typer.Option("--alpha", help="LoRA alpha, the same at every rank.")] = 32.0,
    seeds: Annotated[int, typer.Option("--seeds", min=2, max=64, help="Runs of every setting.")] = 2,
    model: given.ModelOption = "gemma3-270m",
    epochs: given.EpochsOption = 1.0,
    learning_rate: given.RateOption = 5e-4,
    batch_size: given.BatchOption = 8,
    delta: given.DeltaOption = 0.01,
    goal: given.GoalOption = "knowledge",
    allow_leaks: given.LeaksOption = False,
    out: given.OutOption = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.probe.growth import lora_sweep
    from datagen.report.growth_plots import sweep_picture

    sets = given.training_and_exam(ctx, train, eval_file, allow_leaks=allow_leaks)
    config = given.measuring_config(
        model=model,
        seeds=seeds,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        delta=delta,
        goal=goal,
        alpha=alpha,
    )
    parts = [config.model_dump(mode="json"), rank, targets, budget_rank, [s.id for s in sets.train], [s.id for s in sets.exam]]
    folder = given.result_folder(ctx, out, "sweeps", parts)
    with given.shown_progress("sweep") as show:
        result = lora_sweep(
            sets.train,
            sets.exam,
            config=config,
            runs_dir=workspace_of(ctx).probe_runs,
            out_dir=folder,
            ranks=given.numbers(rank, "--rank"),
            targets=[t.strip() for t in targets.split("|")],
            budget_rank=budget_rank,
            allow_leaks=True,
            on_progress=show,
        )
    given.emit_drawn(result, folder, "sweep", sweep_picture(result), as_json=as_json, human=lambda picture: _human(result, picture))


def _human(result: "SweepResult", picture: str) -> Any:
    from rich.console import Group
    from rich.text import Text

    what = f"{result.model}, {result.rows} rows, {result.seeds} seeds, alpha {result.alpha:g}"
    head = f"{what}; {result.eval_set}, untrained {result.base_loss:.4f}"
    end = f"{result.sentence.en}\n{result.sentence.zh}\npicture: {picture}"
    return Group(Text(head), _table(result.rank_by_targets), _table(result.equal_parameters), Text(end))


def _table(found: "Table") -> Any:
    from rich.table import Table

    table = Table(title=found.name, title_justify="left")
    for name in ("targets", "rank", "parameters", "loss [95 %]", "difference to the best [95 %]", "verdict"):
        table.add_column(name, justify="left" if name in ("targets", "verdict") else "right")
    for c in found.cells:
        difference = "best" if c.reference else f"{c.difference:+.4f} [{c.difference_low:+.4f}, {c.difference_high:+.4f}]"
        loss = f"{c.loss:.4f} [{c.low:.4f}, {c.high:.4f}]"
        table.add_row(c.targets, str(c.rank), f"{c.parameters:,}", loss, difference, "" if c.reference else c.verdict)
    return table
