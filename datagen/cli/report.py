"""``datagen report [N]``."""

from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, workspace_of
from datagen.errors import UsageError


def report(
    ctx: typer.Context,
    number: Annotated[int | None, typer.Argument(help="Iteration; default: the last.")] = None,
    language: Annotated[str, typer.Option("--language", help="zh or en.")] = "en",
    as_json: JsonOption = False,
) -> None:
    from datagen.pipeline.ledger import finished_iteration, read_ledger
    from datagen.report.data import gather
    from datagen.report.html import write_report

    if language not in ("zh", "en"):
        raise UsageError(f"--language {language}: expected zh or en")
    workspace = workspace_of(ctx)
    manifest = finished_iteration(workspace, number)
    earlier = [m for m in read_ledger(workspace) if m.number <= manifest.number]
    path = workspace.iteration(manifest.number) / "report.html"
    write_report(gather(workspace, manifest, earlier), path, "zh" if language == "zh" else "en")
    emit({"iteration": manifest.number, "report": str(path)}, as_json=as_json, human=str(path))
