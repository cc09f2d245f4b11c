"""``datagen unregister``: take a dataset out of a LLaMA-Factory data directory."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, workspace_of


def unregister(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The name given to register, or one entry's own name.")],
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="LLaMA-Factory data directory; default: data/ of the workspace.")
    ] = None,
    delete_files: Annotated[bool, typer.Option("--delete-files", help="Delete files that datagen wrote and nobody changed.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also remove entries datagen did not write; their files stay.")] = False,
    as_json: JsonOption = False,
) -> None:
    from datagen.export.llamafactory.registry.listing import unregister as take_out

    folder = data_dir or workspace_of(ctx).data_dir
    done = take_out(folder, name, delete_files=delete_files, force=force)
    lines = [f"unregistered: {', '.join(done.entries)}"]
    lines += [f"  deleted {path}" for path in done.deleted]
    lines += [f"  left {path}: {why}" for path, why in done.left]
    emit(done.to_json() | {"data_dir": str(folder)}, as_json=as_json, human="\n".join(lines))
