"""What a recipe's models would cost: the exam once, then the rows of its largest size. Nothing is sent or written.

Rows that an earlier size made are part of the largest, so a campaign over all sizes pays for these rows once. Every strategy is priced
for its share of the rows by weight; what the store holds already is free.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.clients import parse_spec
from datagen.clients.prices import BATCH_SHARE, FREE, Price, PriceTable, load_prices
from datagen.generate.opening import price_spec
from datagen.generate.pricing import Estimate
from datagen.generate.specs import AnySpec, examiners, model_of
from datagen.generate.strategy import Purpose
from datagen.ingest import ingest_paths
from datagen.ingest.chunk import chunk_document
from datagen.jsonl import JsonObject
from datagen.library import Roots
from datagen.pipeline.recipe import Recipe
from datagen.schemas.document import Chunk, Document
from datagen.workspace import Workspace


@dataclass(frozen=True, slots=True)
class PricedStep:
    """What one strategy costs with its judge, for the exam or for the rows; ``known`` is False where a price is not and 0 was counted."""

    purpose: Purpose
    strategy: str
    model: str
    target: int
    estimate: Estimate
    known: bool

    def to_json(self) -> JsonObject:
        """Return the fields as JSON."""
        named = {"purpose": self.purpose, "strategy": self.strategy, "model": self.model, "target": self.target}
        return {**named, "price_known": self.known, **self.estimate.to_json()}


def price_recipe(
    recipe: Recipe,
    documents: Sequence[Document],
    chunks: Sequence[Chunk],
    *,
    workspace: Workspace,
    library: Roots = (),
    batch: bool = False,
) -> list[PricedStep]:
    """Price every strategy of a recipe that asks a model, and the judge of its rows.

    An exam that is frozen already costs nothing and is left out. ``batch``: at the price of batch APIs.

    Raises:
        UsageError: a model is no spec, or the price list is broken.
    """
    largest = max(recipe.sizes)
    wanted: list[tuple[Purpose, AnySpec, int]] = [("train", s, n) for s, n in _shares(recipe.generate.strategies, largest)]
    if not workspace.split.exists():
        exam = recipe.exam.size + recipe.exam.vault
        wanted = [*(("exam", s, n) for s, n in _shares(examiners(recipe.generate.strategies), exam)), *wanted]
    steps: list[PricedStep] = []
    share = BATCH_SHARE if batch else 1.0
    for purpose, spec, target in wanted:
        step = asyncio.run(_price(recipe, spec, target, purpose, documents, chunks, workspace, library or (workspace.root,), share))
        if step is not None:
            steps.append(step)
    return steps


def first_step_cost(recipe: Recipe, docs: Path, size: int, *, workspace: Workspace, library: Roots = (), batch: bool = False) -> float:
    """Return the money for the exam and the first ``size`` rows; unknown prices count as 0. Nothing is sent or written.

    Raises:
        UsageError: as in :func:`price_recipe`; no such folder.
    """
    if recipe.generate.judge is None and all(model_of(spec) is None for spec in recipe.generate.strategies):
        return 0.0
    documents = ingest_paths([docs]).documents
    chunks = [chunk for document in documents for chunk in chunk_document(document, max_tokens=recipe.chunk.max_tokens)]
    sized = recipe.model_copy(update={"sizes": (size,)})
    priced = price_recipe(sized, documents, chunks, workspace=workspace, library=library, batch=batch)
    return sum(step.estimate.cost for step in priced)


def _shares(specs: Sequence[AnySpec], target: int) -> list[tuple[AnySpec, int]]:
    total = sum(spec.weight for spec in specs)
    return [(spec, round(target * spec.weight / total)) for spec in specs]


async def _price(
    recipe: Recipe,
    spec: AnySpec,
    target: int,
    purpose: Purpose,
    documents: Sequence[Document],
    chunks: Sequence[Chunk],
    workspace: Workspace,
    library: Roots,
    share: float,
) -> PricedStep | None:
    name, judge = model_of(spec), recipe.generate.judge
    if name is None and judge is None:
        return None
    prices = load_prices(workspace.root)
    price, known = _price_of(name, prices)
    judge_price, judge_known = _price_of(judge.model if judge else None, prices)
    priced = await price_spec(
        spec,
        documents,
        chunks,
        price=price.times(share),
        store_path=workspace.responses,
        target=target,
        purpose=purpose,
        max_attempts=recipe.generate.max_attempts,
        judge=judge,
        library=library,
        judge_price=judge_price.times(share),
    )
    return PricedStep(purpose, spec.kind, name or "", target, priced, known and judge_known)


def _price_of(name: str | None, prices: PriceTable) -> tuple[Price, bool]:
    """Return a model's price, 0 if it is not known, and whether it is."""
    if name is None:
        return FREE, True
    model = parse_spec(name)
    known = model.loopback or prices.of(model.model) is not None
    return prices.require(model.model, free=True), known
