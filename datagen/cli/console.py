"""What every command shares: the ``--json`` option, output to stdout, progress and messages to stderr."""

import json
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from datagen.errors import UsageError
from datagen.jsonl import JsonObject, same_file
from datagen.library import Roots
from datagen.workspace import Workspace

if TYPE_CHECKING:
    from datagen.export.findings import Finding

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


def refuse_overwriting(sources: Sequence[Path], outs: Sequence[Path]) -> None:
    """Raise before anything is written if a file to be written is one that is read.

    Raises:
        UsageError: it names the file.
    """
    for out in outs:
        if any(same_file(out, source) for source in sources):
            raise UsageError(f"{out} is the input itself", hint="write to another file")


def url_host(host: str) -> str:
    """Return a host as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def plain(text: str) -> str:
    """Remove control characters: what a file or a model says must not steer the terminal."""
    return "".join(c for c in text if c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160))


def emit(value: JsonObject, *, as_json: bool, human: str | Any) -> None:
    """Print the result: ``value`` as one JSON object with ``--json``, else ``human`` (text or a rich renderable)."""
    if as_json:
        # A lone surrogate from a user's file cannot be written as UTF-8; its escape can.
        sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace").decode() + "\n")
        return
    if isinstance(human, str):
        text = plain(human if human.endswith("\n") else f"{human}\n")
        sys.stdout.write(text.encode(errors="backslashreplace").decode())
        return
    from rich.console import Console

    # In a file or a pipe nothing is lost to a narrow default: a table's cells stay on one line.
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    Console(file=sys.stdout, soft_wrap=False, width=width).print(human)


def finding_lines(findings: "Sequence[Finding]", shown: int) -> list[str]:
    """Return a line for each finding, the gravest first, and after ``shown`` of them how many more there are."""
    ordered = sorted(findings, key=lambda f: ("crash", "drop", "bad", "note").index(f.severity))[:shown]
    places = [f.dataset if f.line is None else f"{f.dataset}:{f.line}" for f in ordered]
    lines = [f"  {f.severity} {f.code} {place}: {f.message}; {f.fix}" for f, place in zip(ordered, places, strict=True)]
    more = len(findings) - shown
    return [*lines, *([f"  and {more} more findings (--json shows all)"] if more > 0 else [])]


def say(message: str) -> None:
    """Write one line of progress or warning to stderr."""
    sys.stderr.write(f"{plain(message)}\n")
    sys.stderr.flush()


@contextmanager
def progress() -> Generator[Any]:
    """Open a rich progress display on stderr: for each task description, bar, count, rate, time, its own ETA and a ``note`` field."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    ) as display:
        yield display
