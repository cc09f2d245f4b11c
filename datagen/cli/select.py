"""``datagen select IN -o OUT --rows N``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit, refuse_overwriting, say
from datagen.errors import UsageError


def select(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A dataset in any known row format, .json or .jsonl.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the chosen rows go, as they were; the others go beside it.")],
    rows: Annotated[int, typer.Option("-n", "--rows", min=1, help="How many rows to choose.")],
    by: Annotated[
        Literal["top", "band", "diverse", "novel", "trajectory", "random"],
        typer.Option(
            "--by",
            help="Best by --score, a band of it, facility location, NovelSelect, S2L by losses while --model learns the rows, "
            "or at random (the one to beat).",
        ),
    ] = "diverse",
    score: Annotated[
        str, typer.Option("--score", help="A row scorer (completion_tokens, repetition, ...) or a score of the samples.")
    ] = "",
    lowest: Annotated[bool, typer.Option("--lowest", help="With --by top: the lowest values.")] = False,
    band: Annotated[str, typer.Option("--band", metavar="LOW,HIGH", help="With --by band: two quantiles.")] = "0.25,0.75",
    model: Annotated[
        str, typer.Option("--model", help="With --by trajectory: the local model that learns them (gemma3-270m, a folder).")
    ] = "gemma3-270m",
    seed: Annotated[int, typer.Option("--seed", help="Of random choices.")] = 0,
    as_json: JsonOption = False,
) -> None:
    from datagen.jsonl import read_rows, write_json, write_jsonl
    from datagen.score.select import select_rows
    from datagen.score.source import open_source

    dropped = out.with_suffix(".dropped.jsonl")
    refuse_overwriting([source], [out, dropped])
    if source.suffix.lower() not in (".json", ".jsonl"):
        raise UsageError(f"{source}: rows are chosen from .json and .jsonl files", hint="convert it first: datagen convert")
    opened = open_source(source)
    trajectories = None
    if by == "trajectory":
        from datagen.probe.measure.trajectories import LossTrajectories

        trajectories = LossTrajectories(model, seed=seed, on_step=_tell).measure(opened.samples)
    raw = {row.line: row.value for row in read_rows(source)}
    chosen = set(
        select_rows(opened.samples, rows, by=by, score=score, lowest=lowest, band=_band(band), seed=seed, trajectories=trajectories)
    )
    kept = [raw[row.line] for i, row in enumerate(opened.rows) if i in chosen]
    (write_json if out.suffix.lower() == ".json" else write_jsonl)(out, kept)
    left = [{"line": r.line, "reason": "not_selected", "value": raw[r.line]} for i, r in enumerate(opened.rows) if i not in chosen]
    left += [{"line": u.line, "reason": "unreadable_row", "value": raw[u.line]} for u in opened.unreadable]
    write_jsonl(dropped, left)
    value = {"rows": opened.n_rows, "kept": len(kept), "by": by, "score": score, "unreadable": len(opened.unreadable)}
    how = f"{by} {score}".strip()
    human = f"{len(kept)} of {opened.n_rows} rows chosen by {how} -> {out}\nthe others, each with its reason -> {dropped}"
    emit(value, as_json=as_json, human=human)


def _tell(done: int, steps: int) -> None:
    if done == steps or done % 10 == 0:
        say(f"training: step {done} of {steps}")


def _band(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--band {text}: expected two numbers in [0, 1], for example 0.25,0.75") from error
    return low, high
