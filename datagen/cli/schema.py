"""``datagen schema export``: the JSON Schemas, or a check that the committed ones are current."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit


def schema(
    action: Annotated[Literal["export"], typer.Argument(help="export: write the schemas.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder; default: schemas/ of this checkout or installation.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a file is missing, stale or extra.")] = False,
    as_json: JsonOption = False,
) -> None:
    from datagen.library import builtin_root
    from datagen.schemas.export_schemas import find_drift, write_schemas

    folder = out or builtin_root() / "schemas"
    if check:
        drift = find_drift(folder)
        human = "".join(f"{name}: {why}\n" for name, why in drift.items()) or f"{folder}: current\n"
        emit({"folder": str(folder), "current": not drift, "drift": drift}, as_json=as_json, human=human)
        if drift:
            raise typer.Exit(1)
        return
    names = write_schemas(folder)
    emit({"folder": str(folder), "files": names}, as_json=as_json, human=f"{len(names)} files in {folder}")
