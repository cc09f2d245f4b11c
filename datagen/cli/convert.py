"""``datagen convert``: between row formats; says what is lost."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit, refuse_overwriting


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Dataset file: .json, .jsonl, or .txt.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write; .jsonl gives one row a line, else a JSON array.")],
    to: Annotated[
        str, typer.Option("--to", help="alpaca, sharegpt, openai, preference, preference_alpaca, kto, kto_alpaca, text or datagen.")
    ],
    from_: Annotated[str | None, typer.Option("--from", help="Format of IN, if it is not recognised.")] = None,
    style: Annotated[
        Literal["persona", "task"] | None, typer.Option("--style", help="Turn rows into persona style or task style; default: as they are.")
    ] = None,
    persona: Annotated[
        str | None, typer.Option("--persona", help="Persona for --style persona; default: each row's own, or its system prompt.")
    ] = None,
    persona_goes: Annotated[
        Literal["system", "join", "drop"],
        typer.Option("--persona-goes", help="Where --style task puts personas; join keeps the training text."),
    ] = "system",
    as_json: JsonOption = False,
) -> None:
    from datagen.errors import UsageError
    from datagen.export.formats import format_named, losses, write_rows
    from datagen.export.row_style import to_persona, to_task
    from datagen.schemas.detect import read_dataset

    target = format_named(to)
    refuse_overwriting([source], [out])
    if persona is not None and style != "persona":
        raise UsageError("--persona is for --style persona")
    dataset = read_dataset(source, from_)
    samples = dataset.samples
    if style == "task":
        samples = [to_task(sample, persona_goes) for sample in samples]
    elif style == "persona":
        samples = [to_persona(sample, persona or "") for sample in samples]
    lost = losses(samples, target)
    lost |= {f"column '{column}' is not carried": len(samples) for column in dataset.ignored_columns}
    if style == "task" and persona_goes == "drop":
        lost["the persona is dropped"] = sum(a is not b for a, b in zip(samples, dataset.samples, strict=True))
    sha256 = write_rows(samples, out, target)
    detection = dataset.detection
    value = {
        "rows": len(dataset.samples),
        "from": detection.format,
        "why": detection.why,
        "row_style": detection.style,
        "style": style,
        "to": target,
        "out": str(out),
        "sha256": sha256,
        "losses": lost,
    }
    notes = "".join(f"  lost: {what} ({count} rows)\n" for what, count in lost.items()) or "  nothing is lost\n"
    emit(value, as_json=as_json, human=f"{len(dataset.samples)} rows, {detection.format} ({detection.why}) -> {target}: {out}\n{notes}")
