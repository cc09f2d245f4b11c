"""``datagen list``: the datasets registered in a LLaMA-Factory data directory."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, workspace_of


def list(
    ctx: typer.Context,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="LLaMA-Factory data directory; default: data/ of the workspace.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    from rich.table import Table

    from datagen.export.llamafactory.registry.listing import list_registered

    folder = data_dir or workspace_of(ctx).data_dir
    entries = list_registered(folder)
    table = Table("name", "file", "formatting", "ranking", "rows", "sha256", "state", title=str(folder))
    for e in entries:
        rows = "" if e.rows is None else f"{e.rows:,}"
        table.add_row(e.name, e.file_name, e.formatting, str(e.ranking).lower(), rows, (e.sha256 or "")[:12], e.state)
    emit({"data_dir": str(folder), "entries": [e.to_json() for e in entries]}, as_json=as_json, human=table)
