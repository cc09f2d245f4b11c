"""``datagen curve``: would more rows help?"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from datagen.cli import inputs as given
from datagen.cli.console import JsonOption, workspace_of

if TYPE_CHECKING:
    from datagen.probe.growth.curve import CurveResult
    from datagen.probe.result import Decision


def curve(
    ctx: typer.Context,
    train: given.TrainOption = None,
    eval_file: given.EvalOption = None,
    by: Annotated[
        Literal["document", "row"], typer.Option("--by", help="Subsets of whole documents, or thinned rows of all documents.")
    ] = "document",
    fractions: Annotated[str, typer.Option("--fractions", help="Sizes as shares of the rows, the last 1.")] = "1/16,1/8,1/4,1/2,1",
    size_seeds: Annotated[str, typer.Option("--size-seeds", help="Runs at each size.")] = "4,3,3,2,2",
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=64, help="Runs of the probe whose outcome is forecast.")] = 3,
    to_rows: Annotated[int | None, typer.Option("--to", min=1, help="Forecast to this many rows too; at most 4 times.")] = None,
    target: Annotated[float | None, typer.Option("--target", help="Loss to be reached, nats per completion token.")] = None,
    last: Annotated[str, typer.Option("--last-verdict", help="Verdict of the last iteration (default: from the workspace).")] = "",
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
    from datagen.errors import UsageError, suggest
    from datagen.probe.growth import learning_curve
    from datagen.report.growth_plots import curve_picture

    sets = given.training_and_exam(ctx, train, eval_file, allow_leaks=allow_leaks)
    verdicts: tuple[Decision, ...] = ("BETTER", "WORSE", "EQUIVALENT", "INCONCLUSIVE")
    chosen: list[Decision] = [v for v in verdicts if v == last]
    verdict = chosen[0] if chosen else sets.last_verdict
    if last and last not in verdicts:
        raise UsageError(f"--last-verdict {last}: no such verdict", hint=suggest(last, verdicts))
    config = given.measuring_config(
        model=model,
        seeds=seeds,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        delta=delta,
        goal=goal,
    )
    parts = [config.model_dump(mode="json"), by, fractions, size_seeds, [s.id for s in sets.train], [s.id for s in sets.exam]]
    folder = given.result_folder(ctx, out, "curves", parts)
    with given.shown_progress("curve") as show:
        result = learning_curve(
            sets.train,
            sets.exam,
            config=config,
            runs_dir=workspace_of(ctx).probe_runs,
            out_dir=folder,
            fractions=_shares(fractions),
            seeds=given.numbers(size_seeds, "--size-seeds"),
            by=by,
            to_rows=to_rows,
            target=target,
            last_verdict=verdict,
            allow_leaks=True,
            on_progress=show,
        )
    given.emit_drawn(result, folder, "curve", curve_picture(result), as_json=as_json, human=lambda picture: _table(result, picture))


def _table(result: "CurveResult", picture: str) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"learning curve on {result.eval_set}, {result.model}, subsets by {result.by}", title_justify="left")
    for name in ("rows", "seeds", "loss", "90 % interval"):
        table.add_column(name, justify="right")
    table.add_row("0", "", f"{result.base_loss:.4f}", "")
    for p in result.points:
        table.add_row(str(p.rows), str(p.seeds), f"{p.loss:.4f}", f"[{p.low:.4f}, {p.high:.4f}]")
    lines = [
        f"{gain.start} -> {gain.end} rows: expected gain {gain.expected:.4f} [{gain.low:.4f}, {gain.high:.4f}] nats per token; "
        f"a probe with {gain.seeds} seeds here would see [{gain.seen_low:.4f}, {gain.seen_high:.4f}]"
        for gain in (result.doubling, result.ahead)
        if gain is not None
    ]
    laws = ", ".join(f"{law.law} {law.weight:.2f}" for law in result.laws)
    lines += [f"weight of each law: {laws}", f"{result.advice}: {result.sentence.en}", result.sentence.zh, f"picture: {picture}"]
    return Group(table, *map(Text, lines))


def _shares(text: str) -> list[float]:
    from fractions import Fraction

    from datagen.errors import UsageError

    try:
        return [float(Fraction(part.strip())) for part in text.split(",")]
    except (ValueError, ZeroDivisionError) as error:
        raise UsageError(f"--fractions: expected shares like 1/4,1/2,1, got '{text}'") from error
