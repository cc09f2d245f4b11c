"""``datagen convert``: between row formats; says what is lost."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Dataset file: .json, .jsonl, or .txt.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write; .jsonl gives one row a line, else a JSON array.")],
    to: Annotated[
        str, typer.Option("--to", help="alpaca, sharegpt, openai, preference, preference_alpaca, kto, kto_alpaca, text or datagen.")
    ],
    from_: Annotated[str | None, typer.Option("--from", help="Format of IN, if it is not recognised.")] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.errors import UsageError
    from datagen.export.formats import format_named, losses, write_rows
    from datagen.schemas.detect import read_dataset

    target = format_named(to)
    if out.resolve() == source.resolve():
        raise UsageError(f"{out} is the input itself", hint="write to another file")
    dataset = read_dataset(source, from_)
    lost = losses(dataset.samples, target)
    lost |= {f"column '{column}' is not carried": len(dataset.samples) for column in dataset.ignored_columns}
    sha256 = write_rows(dataset.samples, out, target)
    detection = dataset.detection
    value = {
        "rows": len(dataset.samples),
        "from": detection.format,
        "why": detection.why,
        "row_style": detection.style,
        "to": target,
        "out": str(out),
        "sha256": sha256,
        "losses": lost,
    }
    notes = "".join(f"  lost: {what} ({count} rows)\n" for what, count in lost.items()) or "  nothing is lost\n"
    emit(value, as_json=as_json, human=f"{len(dataset.samples)} rows, {detection.format} ({detection.why}) -> {target}: {out}\n{notes}")
