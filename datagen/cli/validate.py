"""``datagen validate``: what LLaMA-Factory would do with every row. Exit code 1 if it would drop a row or stop."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit, finding_lines

if TYPE_CHECKING:
    from datagen.export.llamafactory.repair import Repair
    from datagen.export.llamafactory.rules.check import Report

_SHOWN = 20


def validate(
    path: Annotated[Path, typer.Argument(metavar="FILE_OR_DATASET_INFO", help="Dataset file, dataset_info.json, or its folder.")],
    name: Annotated[str | None, typer.Option("--name", help="One entry of dataset_info.json.")] = None,
    stage: Annotated[
        Literal["sft", "dpo", "rm", "kto", "ppo", "pt"] | None, typer.Option("--stage", help="Default: the stage each set is made for.")
    ] = None,
    format: Annotated[str | None, typer.Option("--format", help="Row format of FILE, if it is not recognised.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model folder: also count tokens with its tokenizer.")] = None,
    template: Annotated[str | None, typer.Option("--template", help="LLaMA-Factory template; default: chosen from the model.")] = None,
    cutoff_len: Annotated[int, typer.Option("--cutoff-len", min=1, help="LLaMA-Factory's cutoff_len.")] = 2048,
    packing: Annotated[bool, typer.Option("--packing", help="With --model: sft rows are trained with packing or neat_packing.")] = False,
    fix: Annotated[Path | None, typer.Option("--fix", help="Write a repaired copy of FILE (or of the entry --name) here.")] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.export.formats import format_named
    from datagen.export.llamafactory.repair import repair
    from datagen.export.llamafactory.rules.validate import entry_file
    from datagen.export.llamafactory.rules.validate import validate as check

    row_format = format_named(format) if format else None
    report = check(path, name=name, stage=stage, format=row_format, model=model, template=template, cutoff_len=cutoff_len, packing=packing)
    fixed = repair(entry_file(path, name), fix, format=row_format) if fix else None
    value = report.to_json() | ({"fix": fixed.to_json()} if fixed else {})
    emit(value, as_json=as_json, human="\n".join([*_report_lines(report), *(_fix_lines(fixed) if fixed else [])]))
    if report.errors if fixed is None else fixed.after.errors:
        raise typer.Exit(1)


def _report_lines(report: "Report") -> list[str]:
    lines = [f"{report.rows} rows: {report.kept} kept, {report.dropped} dropped, {report.would_crash} would stop the run"]
    lines += [
        f"{s.dataset}, template {s.template}: {s.tokens:,} tokens; median {s.p50}, 95% {s.p95}, longest {s.longest}; "
        f"{s.over_cutoff} of {s.rows} rows over cutoff_len {s.cutoff_len}"
        for s in report.tokens
    ]
    return [*lines, *finding_lines(report.findings, _SHOWN)]


def _fix_lines(fixed: "Repair") -> list[str]:
    lines = [f"wrote {fixed.out}: {fixed.rows_out} of {fixed.rows_in} rows, as {fixed.format}"]
    counts: dict[str, int] = fixed.to_json()["changed"]
    messages = {change.code: change.message for change in fixed.changes}
    lines += [f"  changed {code} ({count}): {messages[code]}" for code, count in counts.items()]
    lines += [f"  left out line {change.line}: {change.code}: {change.message}" for change in fixed.left_out[:_SHOWN]]
    if len(fixed.left_out) > _SHOWN:
        lines.append(f"  and {len(fixed.left_out) - _SHOWN} more rows left out (--json shows all)")
    bad = sum(finding.severity == "bad" for finding in fixed.after.findings)
    lines.append(f"  the copy: {fixed.after.kept} rows kept" + (f", {bad} findings that only you can settle" if bad else ""))
    return lines
