"""``datagen export``: a dataset for LLaMA-Factory, OpenAI, Hugging Face or TRL. Exit code 1 if the target would refuse it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit, finding_lines
from datagen.cli.inputs import named_rows

_SHOWN = 20


def export(
    file: Annotated[Path, typer.Argument(help="Train rows in any known format, or datagen samples.")],
    to: Annotated[Literal["llamafactory", "openai", "huggingface", "trl"], typer.Option("--to", help="What to write for.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write into.", file_okay=False)],
    eval_file: Annotated[Path | None, typer.Option("--eval", help="Eval rows.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the dataset; default: FILE's.")] = None,
    licence: Annotated[str, typer.Option("--license", help="Hugging Face licence identifier, for the card.")] = "unknown",
    audit: Annotated[Path | None, typer.Option("--audit", help="JSON of datagen audit --json, for the card.")] = None,
    format: Annotated[str | None, typer.Option("--format", help="Row format of FILE, if it is not recognised.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite what an earlier export wrote.")] = False,
    allow_leaks: Annotated[
        bool, typer.Option("--allow-leaks", help="For llamafactory: write train rows that leak into eval rows, too (default: refuse them).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    from datagen.dedup.leakage.refusal import refuse_leaks
    from datagen.errors import DataError
    from datagen.export.dataset import export_dataset
    from datagen.hashing import sha256_hex
    from datagen.jsonl import read_json
    from datagen.schemas.detect import read_samples

    figures = read_json(audit) if audit else None
    if audit and not isinstance(figures, dict):
        raise DataError(f"{audit}: expected a JSON object, got {type(figures).__name__}")
    files = [file, *([eval_file] if eval_file else [])]
    train, held = read_samples(file, format), read_samples(eval_file, format) if eval_file else []
    if to == "llamafactory" and eval_file and not allow_leaks:
        refuse_leaks([named_rows(file, train)], [named_rows(eval_file, held)], override="--allow-leaks")
    done = export_dataset(
        train,
        out,
        to=to,
        eval_=held,
        name=name or file.stem.removesuffix("_train"),
        licence=licence,
        audit=figures,
        sources={path.name: sha256_hex(path.read_bytes()) for path in files},
        replace=replace,
        allow_leaks=True,
    )
    lines = [f"{done.train_rows} rows ({done.columns})" + (f", {done.eval_rows} eval rows" if done.eval_rows else "") + f" for {to}:"]
    lines += [f"  {role}: {path}" for role, path in done.files.items()]
    lines += [f"  {advice.message}" for advice in done.advice]
    lines += finding_lines(done.findings, _SHOWN)
    emit(done.to_json(), as_json=as_json, human="\n".join(lines))
    if done.errors:
        raise typer.Exit(1)
