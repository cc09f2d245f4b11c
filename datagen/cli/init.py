"""``datagen init [DIR]``."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, workspace_of

GITIGNORE = ".datagen/\nsaves/\n"


def init(
    ctx: typer.Context,
    directory: Annotated[Path | None, typer.Argument(help="Folder to scaffold; default: the workspace.")] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.jsonl import write_bytes
    from datagen.library import find

    root = (directory or workspace_of(ctx).root).resolve()
    made: list[str] = []
    for folder in (root / "docs", root / "data"):
        if not folder.exists():
            folder.mkdir(parents=True)
            made.append(str(folder))
    for target, content in (
        (root / "pipelines" / "quickstart.yaml", find("pipelines", "quickstart", ".yaml").read_bytes()),
        (root / ".gitignore", GITIGNORE.encode()),
    ):
        if not target.exists():
            write_bytes(target, content)
            made.append(str(target))
    human = "\n".join(
        [*(f"made {path}" for path in made), f"next: put documents into {root / 'docs'}, then: datagen -w {root} run quickstart"]
    )
    emit({"workspace": str(root), "made": made}, as_json=as_json, human=human)
