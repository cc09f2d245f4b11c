"""``datagen generate --dry-run``: what the run would cost, before anything is sent."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from datagen.cli.console import emit, library_of, workspace_of

if TYPE_CHECKING:
    from datagen.generate.specs import AnySpec, JudgeSpec
    from datagen.generate.strategy import Purpose


def print_price(
    ctx: typer.Context,
    paths: "Sequence[Path]",
    spec: "AnySpec",
    judge: "JudgeSpec | None",
    *,
    target: int,
    purpose: "Purpose",
    max_tokens: int,
    batch: bool,
    as_json: bool,
) -> None:
    """Print the estimate; write and send nothing.

    Raises:
        UsageError: the model has no price.
    """
    from datagen.clients import parse_spec
    from datagen.clients.prices import BATCH_SHARE, load_prices
    from datagen.generate.opening import price_spec
    from datagen.generate.specs import model_of
    from datagen.ingest import ingest_paths
    from datagen.ingest.chunk import chunk_document

    workspace = workspace_of(ctx)
    model = parse_spec(model_of(spec) or "")
    price = load_prices(workspace.root).require(model.model, free=model.loopback).times(BATCH_SHARE if batch else 1)
    found = ingest_paths(paths)
    chunks = [chunk for document in found.documents for chunk in chunk_document(document, max_tokens=max_tokens)]
    work = price_spec(
        spec, found.documents, chunks, price=price, store_path=workspace.responses, target=target, purpose=purpose, library=library_of(ctx)
    )
    priced = asyncio.run(work)
    value = {"documents": len(found.documents), "chunks": len(chunks), "target": target, **priced.to_json()}
    source = "measured on stored responses of this model" if priced.measured else "a prior, corrected after 20 responses"
    lines = [
        f"{priced.requests} requests for about {priced.rows} of {target} rows, {priced.cached} answered by the store",
        f"tokens to pay: {priced.tokens_in} in, {priced.tokens_out} out ({source})",
        f"cost: about ${priced.cost:.4f}, at most ${priced.cost_most:.4f} (${price.input:g} in, ${price.output:g} out per million tokens)",
        *(["the judge is not priced: about one request a row, two a pair"] if judge else []),
        "nothing was sent; --budget sets a cap that is never crossed",
    ]
    emit(value, as_json=as_json, human="\n".join(lines))
