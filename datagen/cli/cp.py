"""``datagen cp NAME``."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, library_of, workspace_of
from datagen.errors import UsageError


def cp(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Recipe, for example quickstart.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Target file; default: pipelines/NAME.yaml in the workspace.")] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.jsonl import write_bytes
    from datagen.library import find

    workspace = workspace_of(ctx)
    source = find("pipelines", name, ".yaml", library=library_of(ctx))
    target = out or workspace.root / "pipelines" / f"{name}.yaml"
    if target.exists():
        raise UsageError(f"{target} exists already", hint="choose another file with -o")
    write_bytes(target, source.read_bytes())
    emit({"copied": str(source), "to": str(target)}, as_json=as_json, human=f"{target}")
