"""``datagen ls``."""

from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, library_of, workspace_of
from datagen.errors import UsageError, suggest

SUFFIXES = {"pipelines": ".yaml", "prompts": ".md", "schemas": ".json"}


def ls(
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(help="pipelines, prompts or schemas.")] = "pipelines",
    as_json: JsonOption = False,
) -> None:
    from datagen.library import search_path

    kind = {"recipes": "pipelines"}.get(kind, kind)
    if kind not in SUFFIXES:
        raise UsageError(f"nothing of kind '{kind}' in the library", hint=suggest(kind, SUFFIXES))
    folders = search_path(
        "pipelines" if kind == "pipelines" else "prompts" if kind == "prompts" else "schemas",
        library=library_of(ctx),
        workspace=workspace_of(ctx).root,
    )
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted(folder.rglob(f"*{SUFFIXES[kind]}")):
            found.setdefault(str(path.relative_to(folder))[: -len(SUFFIXES[kind])], str(path))
    human = "\n".join(f"{name}  {path}" for name, path in found.items()) or f"no {kind}"
    emit({"kind": kind, "found": [{"name": n, "path": p} for n, p in found.items()]}, as_json=as_json, human=human)
