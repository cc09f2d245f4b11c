"""``datagen next``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from datagen.cli.console import JsonOption, emit, workspace_of


def next(
    ctx: typer.Context,
    number: Annotated[int | None, typer.Argument(help="Iteration; default: the last finished one.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="New rows to share out.")] = 100,
    by: Annotated[str, typer.Option("--by", help="Slices: folder, document or section.")] = "folder",
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write the quotas as JSON, for --set generate.quotas=@FILE.")] = None,
    as_json: JsonOption = False,
) -> None:
    from dataclasses import asdict

    from datagen.errors import UsageError, suggest
    from datagen.jsonl import write_json
    from datagen.pipeline.ledger import finished_iteration
    from datagen.pipeline.priorities import SLICES, quotas, read_priorities

    kind = SLICES.get(by)
    if kind is None:
        raise UsageError(f"--by {by}: no such kind of slice", hint=suggest(by, SLICES))
    workspace = workspace_of(ctx)
    manifest = finished_iteration(workspace, number)
    ranked = read_priorities(workspace, manifest, rows=rows, by=kind)
    wanted = quotas(ranked)
    if out:
        write_json(out, wanted)
    value = {"iteration": manifest.number, "by": by, "rows": rows, "slices": [{**asdict(p), "coverage": p.coverage} for p in ranked]}
    emit({**value, "quotas": wanted}, as_json=as_json, human=None if as_json else _table(ranked, out))


def _table(ranked: Any, out: Path | None) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in ("slice", "rows", "covered", "questions", "loss (base)", "urgency", "quota"):
        table.add_column(name, justify="left" if name == "slice" else "right")
    for p in ranked:
        loss = "–" if p.loss is None else f"{p.loss:.2f}" + ("" if p.base_loss is None else f" ({p.base_loss:.2f})")
        table.add_row(Text(p.slice), str(p.rows), f"{p.covered}/{p.passages}", str(p.questions), loss, f"{p.score:.2f}", str(p.quota))
    parts: list[Any] = [table]
    failing = [(p.slice, f) for p in ranked[:3] for f in p.failing]
    if failing:
        parts.append(Text("\nexam questions the probe model answers worst there (nats per answer token):"))
    for name, f in failing:
        parts.append(Text(f"  {f.loss:.2f}  {f.question[:120]}  →  {f.reference[:120]}   [{f.document or name}]"))
    use = f"--set generate.quotas=@{out}" if out else "-o quotas.json, then: datagen run RECIPE --set generate.quotas=@quotas.json"
    parts.append(Text(f"\nuse it: {use}", overflow="fold"))
    return Group(*parts)
