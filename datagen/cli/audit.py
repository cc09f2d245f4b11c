"""``datagen audit FILE``. Exit code 1 if an area says the data should change."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit, roots_of, say, workspace_of
from datagen.errors import UsageError

if TYPE_CHECKING:
    from datagen.score.api import RowModel


def audit(
    ctx: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FILE_OR_DATASET_INFO", help="Dataset file, dataset_info.json, or its folder.")],
    docs: Annotated[Path | None, typer.Option("--docs", help="The documents: adds grounding and coverage.")] = None,
    against: Annotated[Path | None, typer.Option("--against", help="An evaluation set: adds leakage.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="One entry of dataset_info.json.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="A local model (gemma3-270m, a folder): adds NLL and IFD per row.")] = None,
    trajectories: Annotated[
        bool, typer.Option("--trajectories", help="With --model: also train it on the rows; adds the learning percentage of each.")
    ] = False,
    judge: Annotated[str | None, typer.Option("--judge", help="An LLM (openai:MODEL@URL): grades rows by a rubric.")] = None,
    judge_rows: Annotated[int, typer.Option("--judge-rows", min=1, help="Most rows to have graded.")] = 100,
    html: Annotated[Path | None, typer.Option("--html", help="Also write the page: one file, no network.")] = None,
    language: Annotated[Literal["zh", "en"], typer.Option("--language", help="Of the page.")] = "en",
    as_json: JsonOption = False,
) -> None:
    from datagen.report.audit.terminal import audit_tables
    from datagen.score.api import audit as check

    if trajectories and model is None:
        raise UsageError("--trajectories needs a model to train", hint="add --model gemma3-270m, or a folder")
    models: list[RowModel] = []
    if model is not None:
        from datagen.probe.measure.row_losses import RowLosses

        models.append(RowLosses(model))
    if model is not None and trajectories:
        from datagen.probe.measure.trajectories import LossTrajectories

        models.append(LossTrajectories(model, on_step=_tell))
    grader = None
    if judge is not None:
        from datagen.clients import open_client
        from datagen.score.model.judge import Judge

        client = open_client(judge, workspace_of(ctx).responses, concurrency=8)
        grader = Judge(client, model=judge, rows=judge_rows, library=roots_of(ctx))
        models.append(grader)
    result = check(source, docs=docs, against=against, name=name, models=models, on_stage=lambda stage: say(f"audit: {stage}"))
    if grader is not None and grader.failures:
        say(f"audit: {len(grader.failures)} rows have no grade, the first because: {next(iter(grader.failures.values()))}")
    if html is not None:
        from datagen.report.audit.page import write_page

        say("audit: page")
        write_page(result, html, language)
        say(f"page: {html}")
    emit(result.to_json(), as_json=as_json, human=audit_tables(result))
    if any(area.state == "act" for area in result.areas):
        raise typer.Exit(1)


def _tell(done: int, steps: int) -> None:
    if done == steps or done % 10 == 0:
        say(f"audit: training step {done} of {steps}")
