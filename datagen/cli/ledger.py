"""``datagen ledger``."""

import typer

from datagen.cli.console import JsonOption, emit, workspace_of


def ledger(ctx: typer.Context, as_json: JsonOption = False) -> None:
    from datagen.pipeline.ledger import read_ledger
    from datagen.report.terminal import ledger_table

    manifests = read_ledger(workspace_of(ctx))
    human = ledger_table(manifests) if manifests else "no finished iterations here; start one with: datagen run quickstart --docs DIR"
    emit({"iterations": [m.model_dump(mode="json") for m in manifests]}, as_json=as_json, human=human)
