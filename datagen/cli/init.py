"""``datagen init [DIR]``."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, workspace_of


def init(
    ctx: typer.Context,
    directory: Annotated[Path | None, typer.Argument(help="Folder to scaffold; default: the workspace.")] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.workspace import scaffold

    root = (directory or workspace_of(ctx).root).resolve()
    made = [str(path) for path in scaffold(root)]
    human = "\n".join(
        [*(f"made {path}" for path in made), f"next: put documents into {root / 'docs'}, then: datagen -w {root} run quickstart"]
    )
    emit({"workspace": str(root), "made": made}, as_json=as_json, human=human)
