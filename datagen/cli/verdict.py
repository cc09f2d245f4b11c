"""``datagen verdict``: a probe's verdicts again, from its stored losses, without torch."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, say


def verdict(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A probe's result folder: result.json and losses.parquet.")],
    as_json: JsonOption = False,
) -> None:
    """Recompute a probe's verdict from its stored losses."""
    from datagen.cli.probe import describe
    from datagen.probe import rejudge

    result = rejudge(folder)
    for warning in result.warnings:
        say(f"warning: {warning}")
    emit(result.model_dump(mode="json"), as_json=as_json, human=describe(result, folder))
