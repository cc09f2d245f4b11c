"""``datagen store stats|prune|export``: what the response store holds, taking responses out of it, and copying them to a file."""

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datagen.cli.console import JsonOption, emit, workspace_of
from datagen.errors import UsageError, suggest

if TYPE_CHECKING:
    from datagen.clients import ResponseStore

ACTIONS = ("stats", "prune", "export")
_AGE = re.compile(r"^(\d+)([dh])$")


def store(
    ctx: typer.Context,
    action: Annotated[str, typer.Argument(help="stats, prune or export.")],
    model: Annotated[str, typer.Option("--model", help="Only responses of this model.")] = "",
    older_than: Annotated[str, typer.Option("--older-than", help="prune: only responses older than, for example, 30d or 12h.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="prune: all responses.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="prune: count only, delete nothing.")] = False,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="export: JSONL file to write.")] = None,
    as_json: JsonOption = False,
) -> None:
    if action not in ACTIONS:
        raise UsageError(f"store {action}: no such action", hint=suggest(action, ACTIONS))
    if action == "export" and out is None:
        raise UsageError("store export needs -o FILE", hint="for example: datagen store export -o responses.jsonl")
    if action == "prune" and not (model or older_than or everything):
        raise UsageError("store prune needs --model, --older-than or --all", hint="what is deleted has to be paid for again; see --dry-run")
    before_s = _before_s(older_than) if older_than else None
    from datagen.clients import ResponseStore

    workspace = workspace_of(ctx)
    if not workspace.responses.is_file():
        raise UsageError(f"there is no response store at {workspace.responses}", hint="datagen generate and datagen run fill one")
    opened = ResponseStore(workspace.responses)
    try:
        if action == "stats":
            _stats(opened, workspace.root, as_json=as_json)
        elif action == "export":
            assert out is not None
            from datagen.jsonl import write_jsonl

            write_jsonl(out, opened.export(model=model))
            responses = sum(m.responses for m in opened.by_model() if model in ("", m.model))
            emit({"responses": responses, "out": str(out)}, as_json=as_json, human=f"{responses} responses -> {out}")
        else:
            if dry_run:
                gone = opened.prune(model=model, before_s=before_s, dry_run=True)
            else:
                # Nobody may be generating while responses are deleted.
                with workspace.lock():
                    gone = opened.prune(model=model, before_s=before_s)
            value = {"deleted": 0 if dry_run else gone.responses, "matching": gone.responses, "left": opened.stats().responses}
            verb = "would delete" if dry_run else "deleted"
            emit(value, as_json=as_json, human=f"{verb} {gone.responses} responses of {gone.tokens_in + gone.tokens_out} tokens")
    finally:
        opened.close()


def _before_s(age: str) -> float:
    found = _AGE.match(age)
    if not found:
        raise UsageError(f"--older-than {age}: expected a number of days or hours", hint="for example 30d or 12h")
    return time.time() - int(found.group(1)) * (86400 if found.group(2) == "d" else 3600)


def _stats(opened: "ResponseStore", root: Path, *, as_json: bool) -> None:
    from datagen.clients.prices import load_prices

    table = load_prices(root)
    models: list[dict[str, object]] = []
    lines: list[str] = []
    for m in opened.by_model():
        price = table.of(m.model)
        cost = price.cost(m.tokens_in, m.tokens_out) if price else None
        models.append(
            {
                "provider": m.provider,
                "model": m.model,
                "responses": m.responses,
                "tokens_in": m.tokens_in,
                "tokens_out": m.tokens_out,
                "cost_usd": None if cost is None else round(cost, 6),
                "first": _day(m.first_s),
                "last": _day(m.last_s),
            }
        )
        money = "no price known" if cost is None else f"${cost:.4f}"
        counts = f"{m.responses} responses, {m.tokens_in} + {m.tokens_out} tokens"
        lines.append(f"{m.provider}:{m.model}  {counts}, {money}, last {_day(m.last_s)}")
    size = opened.path.stat().st_size if opened.path else 0
    value = {"path": str(opened.path), "bytes": size, "responses": opened.stats().responses, "models": models}
    emit(value, as_json=as_json, human="\n".join([*lines, f"{value['responses']} responses, {size / 1e6:.1f} MB in {opened.path}"]))


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
