"""What every command shares: the ``--json`` option, output to stdout, progress and messages to stderr."""

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from datagen.jsonl import JsonObject
from datagen.library import Roots
from datagen.workspace import Workspace

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; progress goes to stderr.")]

PIPED_WIDTH = 200
"""Columns of what is printed where there is no terminal to ask."""


def workspace_of(ctx: typer.Context) -> Workspace:
    """Return the workspace chosen with ``-w DIR`` (default: the current folder)."""
    root = ctx.find_root().params.get("workspace") or Path()
    return Workspace(Path(os.path.realpath(root)))


def roots_of(ctx: typer.Context) -> Roots:
    """Return where prompts and pipelines are looked for before the built-in ones: ``--library``, if given, then the workspace."""
    own: Path | None = ctx.find_root().params.get("library")
    return (*((own,) if own else ()), workspace_of(ctx).root)


def emit(value: JsonObject, *, as_json: bool, human: str | Any) -> None:
    """Print the result: ``value`` as one JSON object with ``--json``, else ``human`` (text or a rich renderable)."""
    if as_json:
        # A lone surrogate from a user's file cannot be written as UTF-8; its escape can.
        sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace").decode() + "\n")
        return
    if isinstance(human, str):
        text = human if human.endswith("\n") else f"{human}\n"
        sys.stdout.write(text.encode(errors="backslashreplace").decode())
        return
    from rich.console import Console

    # In a file or a pipe nothing is lost to a narrow default: a table's cells stay on one line.
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    Console(file=sys.stdout, soft_wrap=False, width=width).print(human)


def say(message: str) -> None:
    """Write one line of progress or warning to stderr."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


@contextmanager
def progress() -> Generator[Any]:
    """Open a rich progress display on stderr: description, bar, count, rate, elapsed time, ETA and a ``note`` field."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    ) as display:
        yield display
