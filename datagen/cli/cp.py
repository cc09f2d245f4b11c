"""``datagen cp NAME``."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, roots_of, workspace_of


def cp(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Recipe, for example quickstart.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Target file; default: pipelines/NAME.yaml in the workspace.")] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.library import copy_recipe

    target = out or workspace_of(ctx).root / "pipelines" / f"{name}.yaml"
    source = copy_recipe(name, target, roots=roots_of(ctx))
    emit({"copied": str(source), "to": str(target)}, as_json=as_json, human=f"{target}")
