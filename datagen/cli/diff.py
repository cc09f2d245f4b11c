"""``datagen diff A B``: dataset files, or numbers of finished iterations of the workspace."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, workspace_of
from datagen.errors import UsageError
from datagen.workspace import Workspace

SHOWN = 12


def diff(
    ctx: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="A dataset file, or an iteration's number.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one.")],
    docs: Annotated[Path | None, typer.Option("--docs", help="The documents: adds coverage and grounding.")] = None,
    as_json: JsonOption = False,
) -> None:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from datagen.score.compare import compare_datasets

    workspace = workspace_of(ctx)
    found = compare_datasets(_resolve(a, workspace), _resolve(b, workspace), docs=docs)
    table = Table(title="figures that moved", title_justify="left")
    for name in ("figure", "A", "B", "change"):
        table.add_column(name, justify="left" if name == "figure" else "right")
    for figure in found.figures:
        if figure.a != figure.b:
            table.add_row(figure.name, f"{figure.a:.4g}", f"{figure.b:.4g}", f"{figure.change:+.4g}")
    head = f"{found.unchanged} rows unchanged, {len(found.changed)} changed, {len(found.added)} added, {len(found.removed)} removed"
    lines = [f"{mark} {side.source.rows[row].dataset}:{side.source.rows[row].line} {_short(str(side.frame['prompt'][row]))}"
             for mark, side, rows in (("+", found.b, found.added), ("-", found.a, found.removed)) for row in rows[:SHOWN]]  # fmt: skip
    lines += [f"~ {found.b.source.rows[j].dataset}:{found.b.source.rows[j].line} {_short(str(found.b.frame['prompt'][j]))}"
              for _, j in found.changed[:SHOWN]]  # fmt: skip
    emit(found.to_json(), as_json=as_json, human=Group(Text(head), Text("\n".join(lines)), table))


def _resolve(name: str, workspace: Workspace) -> Path:
    path = Path(name)
    if not name.isdigit() or path.exists():
        return path
    rows = workspace.iteration(int(name)) / "train.jsonl"
    if not rows.is_file():
        finished = ", ".join(map(str, workspace.iteration_numbers())) or "none"
        raise UsageError(f"iteration {name} of {workspace.root} has no train.jsonl (iterations begun: {finished})", hint="datagen ledger")
    return rows


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:70]}…"
