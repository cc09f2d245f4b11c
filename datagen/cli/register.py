"""``datagen register``: a dataset file into a LLaMA-Factory data directory."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, say, workspace_of


def register(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Train rows in any known format, or datagen samples.")],
    name: Annotated[str, typer.Option("--name", help="Entries become NAME_train and NAME_eval.")],
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="LLaMA-Factory data directory; default: data/ of the workspace.")
    ] = None,
    eval_file: Annotated[Path | None, typer.Option("--eval", help="Eval rows.")] = None,
    format: Annotated[str | None, typer.Option("--format", help="Row format to write; default: what fits the rows.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace entries of that name, whoever wrote them.")] = False,
    allow_leaks: Annotated[
        bool, typer.Option("--allow-leaks", help="Register train rows that leak into eval rows, too (default: refuse them).")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    from datagen.cli.inputs import named_rows
    from datagen.dedup.leakage.refusal import refuse_leaks
    from datagen.export.formats import format_named
    from datagen.export.llamafactory.registry.register import register as register_samples
    from datagen.schemas.detect import read_samples

    folder = data_dir or workspace_of(ctx).data_dir
    target = format_named(format) if format else None
    train, held = read_samples(file), read_samples(eval_file) if eval_file else []
    if eval_file and not allow_leaks:
        refuse_leaks([named_rows(file, train)], [named_rows(eval_file, held)], override="--allow-leaks")
    done = register_samples(folder, name, train, held, replace=replace, format=target, allow_leaks=True)
    for warning in done.warnings[:10]:
        say(f"warning: {warning.dataset} row {warning.line}: {warning.message}")
    if len(done.warnings) > 10:
        say(f"warning: and {len(done.warnings) - 10} more; see datagen validate {folder} --name {name}")
    state = "registered" if done.changed else "already registered, unchanged"
    held_text = f", {done.eval_entry} ({done.eval_rows} rows)" if done.eval_entry else ", no eval set"
    human = f"{state}: {done.train_entry} ({done.train_rows} rows){held_text} in {folder / 'dataset_info.json'}"
    human += "".join(f"\n  {advice.message}" for advice in done.advice)
    emit(done.to_json() | {"data_dir": str(folder)}, as_json=as_json, human=human)
