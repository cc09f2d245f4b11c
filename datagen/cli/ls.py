"""``datagen ls``."""

from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, roots_of
from datagen.errors import UsageError, suggest
from datagen.jsonl import JsonObject

SUFFIXES = {"pipelines": ".yaml", "prompts": ".md", "schemas": ".json"}


def ls(
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(help="pipelines, prompts, schemas or strategies.")] = "pipelines",
    as_json: JsonOption = False,
) -> None:
    from datagen.library import names

    kind = {"recipes": "pipelines"}.get(kind, kind)
    if kind == "strategies":
        _list_strategies(as_json=as_json)
        return
    if kind not in SUFFIXES:
        raise UsageError(f"nothing of kind '{kind}' in the library", hint=suggest(kind, [*SUFFIXES, "strategies"]))
    found = names(
        "pipelines" if kind == "pipelines" else "prompts" if kind == "prompts" else "schemas", SUFFIXES[kind], roots=roots_of(ctx)
    )
    human = "\n".join(f"{name}  {path}" for name, path in found.items()) or f"no {kind}"
    emit({"kind": kind, "found": [{"name": n, "path": str(p)} for n, p in found.items()]}, as_json=as_json, human=human)


def _list_strategies(*, as_json: bool) -> None:
    """Print every strategy with what it makes, by which method that is learned, whether it needs a model, and its own settings."""
    from datagen.generate.specs import METHOD, SPECS, AskingSpec, ContrastSpec

    found: list[JsonObject] = []
    for kind, spec in SPECS.items():
        own = [name for name in spec.model_fields if name not in {"kind", *ContrastSpec.model_fields}]
        model = "yes" if issubclass(spec, AskingSpec) else "optional" if issubclass(spec, ContrastSpec) else "no"
        makes = " ".join((spec.__doc__ or "").split())
        found.append({"name": kind, "makes": makes, "method": METHOD[kind], "model": model, "settings": own})
    width = max(len(kind) for kind in SPECS)
    human = "\n".join(
        f"{f['name']:<{width}}  {f['method']:<4} model: {f['model']:<9} {f['makes']}"
        + (f" Settings: {', '.join(f['settings'])}." if f["settings"] else "")
        for f in found
    )
    emit({"kind": "strategies", "found": found}, as_json=as_json, human=human)
