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
    from datagen.pipeline.ledger import read_ledger
    from datagen.report.data import gather
    from datagen.report.html import write_report

    if language not in ("zh", "en"):
        raise UsageError(f"--language {language}: expected zh or en")
    workspace = workspace_of(ctx)
    manifests = read_ledger(workspace)
    manifest = next((m for m in reversed(manifests) if number in (None, m.number)), None)
    if manifest is None:
        finished = ", ".join(str(m.number) for m in manifests) or "none"
        raise UsageError(
            f"no finished iteration{'' if number is None else f' {number}'} in {workspace.root} (finished: {finished})",
            hint="datagen ledger",
        )
    path = workspace.iteration(manifest.number) / "report.html"
    write_report(
        gather(workspace, manifest, [m for m in manifests if m.number <= manifest.number]), path, "zh" if language == "zh" else "en"
    )
    emit({"iteration": manifest.number, "report": str(path)}, as_json=as_json, human=str(path))
