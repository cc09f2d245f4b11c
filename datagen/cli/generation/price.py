"""``datagen generate --dry-run``: what the run would cost, before anything is sent."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from datagen.cli.console import emit, roots_of, workspace_of

if TYPE_CHECKING:
    from datagen.generate.pricing import Estimate
    from datagen.generate.specs import AnySpec, JudgeSpec
    from datagen.generate.strategy import Purpose

FREE_TOLD = "free (a model on this machine; prices.yaml may give it a price)"


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
        UsageError: a model has no price.
    """
    from datagen.clients import parse_spec
    from datagen.clients.prices import BATCH_SHARE, FREE, Price, load_prices
    from datagen.generate.opening import price_spec
    from datagen.generate.specs import model_of
    from datagen.ingest import ingest_paths
    from datagen.ingest.chunk import chunk_document

    workspace = workspace_of(ctx)
    prices = load_prices(workspace.root)

    def price_of(name: str | None) -> Price:
        if name is None:
            return FREE
        model = parse_spec(name)
        return prices.require(model.model, free=model.loopback).times(BATCH_SHARE if batch else 1)

    price = price_of(model_of(spec))
    found = ingest_paths(paths)
    chunks = [chunk for document in found.documents for chunk in chunk_document(document, max_tokens=max_tokens)]
    work = price_spec(
        spec,
        found.documents,
        chunks,
        price=price,
        store_path=workspace.responses,
        target=target,
        purpose=purpose,
        judge=judge,
        judge_price=price_of(judge.model if judge else None),
        library=roots_of(ctx),
    )
    priced = asyncio.run(work)
    value = {"documents": len(found.documents), "chunks": len(chunks), "target": target, **priced.to_json()}
    source = "measured on stored responses of this model" if priced.measured else "a prior, corrected after 20 responses"
    paid = f"about ${priced.cost:.4f}, at most ${priced.cost_most:.4f} (${price.input:g} in, ${price.output:g} out per million tokens)"
    lines = [
        f"{priced.requests} requests for about {priced.rows} of {target} rows, {priced.cached} answered by the store",
        f"tokens to pay: {priced.tokens_in} in, {priced.tokens_out} out ({source})",
        f"cost: {FREE_TOLD if priced.free else paid}",
        *([judge_line(priced.judge)] if priced.judge else []),
        "nothing was sent; --budget sets a cap that is never crossed",
    ]
    emit(value, as_json=as_json, human="\n".join(lines))


def judge_line(judge: "Estimate") -> str:
    """Say what part of an estimate is the judge's."""
    asked = f"{judge.requests} requests ({judge.cached} stored)"
    return f"of these the judge: {asked}, {'free' if judge.free else f'about ${judge.cost:.4f}, at most ${judge.cost_most:.4f}'}"
