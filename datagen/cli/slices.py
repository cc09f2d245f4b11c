"""``datagen slices``: which rows earn their place, measured."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from datagen.cli import inputs as given
from datagen.cli.console import JsonOption, workspace_of

if TYPE_CHECKING:
    from datagen.probe.growth.slices import SlicesResult


def slices(
    ctx: typer.Context,
    train: given.TrainOption = None,
    eval_file: given.EvalOption = None,
    by: Annotated[
        Literal["document", "section", "topic", "strategy", "question_type", "language"],
        typer.Option("--by", help="What a slice is; topic: the document's folder."),
    ] = "topic",
    most: Annotated[int, typer.Option("--most", min=2, help="Slices screened, the largest ones.")] = 12,
    runs: Annotated[int | None, typer.Option("--runs", min=4, help="Screening runs, even (default: twice the slices).")] = None,
    confirm: Annotated[bool, typer.Option("--confirm/--no-confirm", help="Confirm the top slice by a comparison of its own.")] = True,
    seeds: Annotated[int, typer.Option("--seeds", min=2, max=64, help="Pairs of runs in the confirmation.")] = 3,
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
    from datagen.probe.growth import measure_slices
    from datagen.report.growth_plots import slices_picture

    sets = given.training_and_exam(ctx, train, eval_file, allow_leaks=allow_leaks)
    config = given.measuring_config(
        model=model,
        seeds=seeds,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        delta=delta,
        goal=goal,
    )
    parts = [config.model_dump(mode="json"), by, most, runs, confirm, [s.id for s in sets.train], [s.id for s in sets.exam]]
    folder = given.result_folder(ctx, out, "slices", parts)
    with given.shown_progress("slices") as show:
        result = measure_slices(
            sets.train,
            sets.exam,
            config=config,
            runs_dir=workspace_of(ctx).probe_runs,
            out_dir=folder,
            by=by,
            most=most,
            draws=runs,
            confirm=confirm,
            allow_leaks=True,
            on_progress=show,
        )
    given.emit_drawn(result, folder, "slices", slices_picture(result), as_json=as_json, human=lambda picture: _human(result, picture))


def _human(result: "SlicesResult", picture: str) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"slices by {result.by}: {result.runs} random halves, {result.eval_set}, {result.model}", title_justify="left")
    for name in ("slice", "rows", "loss with - without", "90 % interval", "per 100 rows"):
        table.add_column(name, justify="left" if name == "slice" else "right")
    for e in result.effects:
        table.add_row(e.name, str(e.rows), f"{e.effect:+.4f}", f"[{e.low:+.4f}, {e.high:+.4f}]", f"{e.per_100_rows:+.4f}")
    end = f"noise of one run {result.noise:.4f}\n{result.sentence.en}\n{result.sentence.zh}\npicture: {picture}"
    return Group(table, Text(end))
