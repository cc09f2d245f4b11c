"""``datagen audit FILE``. Exit code 1 if an area says the data should change."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit, say


def audit(
    source: Annotated[Path, typer.Argument(metavar="FILE_OR_DATASET_INFO", help="Dataset file, dataset_info.json, or its folder.")],
    docs: Annotated[Path | None, typer.Option("--docs", help="The documents: adds grounding and coverage.")] = None,
    against: Annotated[Path | None, typer.Option("--against", help="An evaluation set: adds leakage.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="One entry of dataset_info.json.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write the page: one file, no network.")] = None,
    language: Annotated[Literal["zh", "en"], typer.Option("--language", help="Of the page.")] = "en",
    as_json: JsonOption = False,
) -> None:
    from datagen.report.audit.terminal import audit_tables
    from datagen.score.api import audit as check

    result = check(source, docs=docs, against=against, name=name, on_stage=lambda stage: say(f"audit: {stage}"))
    if html is not None:
        from datagen.report.audit.page import write_page

        say("audit: page")
        write_page(result, html, language)
        say(f"page: {html}")
    emit(result.to_json(), as_json=as_json, human=audit_tables(result))
    if any(area.state == "act" for area in result.areas):
        raise typer.Exit(1)
