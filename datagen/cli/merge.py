"""``datagen merge``: an adapter and its base model as one plain model."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit


def merge(
    adapter: Annotated[Path, typer.Argument(metavar="ADAPTER", help="An adapter in PEFT's format, such as a probe run's adapter/.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write: loads in transformers, vLLM and LLaMA-Factory.")],
    model: Annotated[str, typer.Option("--model", help="Base model (default: the one the adapter names).")] = "",
    dtype: Annotated[Literal["float32", "bfloat16"], typer.Option("--dtype", help="Of the weights written.")] = "float32",
    as_json: JsonOption = False,
) -> None:
    """Merge an adapter into its base model, and check that the logits stay."""
    from datagen.probe.models.merge import TOLERANCE, merge_adapter

    done = merge_adapter(adapter, out, base=model or None, dtype=dtype)
    lines = [
        f"merged into {done.out} ({done.dtype}); base {done.base}",
        f"largest difference of a logit from base + adapter: {done.max_difference:.1e} in float32, {done.as_saved:.1e} as saved",
    ]
    if not done.within_tolerance:
        lines.append(f"more than {TOLERANCE:g}: do not use this model")
    emit(done.model_dump(mode="json"), as_json=as_json, human="\n".join(lines))
    if not done.within_tolerance:
        raise typer.Exit(1)
