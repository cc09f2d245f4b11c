"""``datagen validate``: what LLaMA-Factory would do with every row. Exit code 1 if it would drop a row or stop."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit

_SHOWN = 20


def validate(
    path: Annotated[Path, typer.Argument(metavar="FILE_OR_DATASET_INFO", help="Dataset file, dataset_info.json, or its folder.")],
    name: Annotated[str | None, typer.Option("--name", help="One entry of dataset_info.json.")] = None,
    stage: Annotated[
        Literal["sft", "dpo", "rm", "kto", "ppo", "pt"] | None, typer.Option("--stage", help="Default: the stage each set is made for.")
    ] = None,
    format: Annotated[str | None, typer.Option("--format", help="Row format of FILE, if it is not recognised.")] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.export.formats import format_named
    from datagen.export.llamafactory.validate import validate as check

    report = check(path, name=name, stage=stage, format=format_named(format) if format else None)
    lines = [f"{report.rows} rows: {report.kept} kept, {report.dropped} dropped, {report.would_crash} would stop the run"]
    for f in sorted(report.findings, key=lambda f: ("crash", "drop", "bad", "note").index(f.severity))[:_SHOWN]:
        place = f.dataset if f.line is None else f"{f.dataset}:{f.line}"
        lines.append(f"  {f.severity} {f.code} {place}: {f.message}; {f.fix}")
    if len(report.findings) > _SHOWN:
        lines.append(f"  and {len(report.findings) - _SHOWN} more findings (--json shows all)")
    emit(report.to_json(), as_json=as_json, human="\n".join(lines))
    if report.errors:
        raise typer.Exit(1)
