"""What a run would cost, before anything is sent: the requests themselves are built, those the store has are free, the rest is counted.

The plan is walked as the runner walks it. A stored response gives its real rows; a request that would be sent gives the rows asked for
times the yield, and its tokens are estimated: the prompt by ``text.estimate_tokens``, the completion by what this model's stored
responses took on average once there are twenty of them, else by a prior per row. A strategy that builds its second request from the
answer to its first shows only the first; the others are taken to be like it.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from datagen.clients.prices import Price
from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatRequest, ChatResponse, RequestFailed
from datagen.generate.plan import opening_order
from datagen.generate.strategy import Purpose, Strategy
from datagen.jsonl import JsonObject
from datagen.schemas.document import Chunk, Document
from datagen.text import estimate_tokens

ENOUGH_RESPONSES = 20
TOKENS_PER_ROW = 120
"""Prior for a row with its quote as JSON, until there are twenty responses to measure."""
DEFAULT_YIELD = 0.8
WALKED_EXACTLY = 200
"""Requests built and measured one by one; beyond, their mean is taken."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A priced plan. Dollars; ``cost_most`` is what the run cannot exceed: every completion as long as ``max_tokens``.

    Attributes:
        requests: requests the run would make.
        cached: of these, answered by the store for nothing.
        rows: rows to expect, at most the target.
        tokens_in, tokens_out: estimated tokens of the requests that would be paid.
        measured: whether completions are estimated from stored responses of the model.
    """

    requests: int
    cached: int
    rows: int
    tokens_in: int
    tokens_out: int
    cost: float
    cost_most: float
    measured: bool
    price: Price

    def to_json(self) -> JsonObject:
        """Return the fields, the price as dollars per million tokens."""
        return {
            "requests": self.requests,
            "cached": self.cached,
            "rows": self.rows,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost_usd": round(self.cost, 6),
            "cost_most_usd": round(self.cost_most, 6),
            "measured": self.measured,
            "price_usd_per_million": {"input": self.price.input, "output": self.price.output},
        }


class DryClient:
    """A client that sends nothing: it answers from the store, and counts and refuses the rest."""

    def __init__(self, store: ResponseStore | None) -> None:
        self.unsent: list[ChatRequest] = []
        self.cached = 0
        self._store = store

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Return the stored response.

        Raises:
            RequestFailed: there is none.
        """
        found = self._store.get(request.key()) if self._store else None
        if found is None:
            self.unsent.append(request)
            raise RequestFailed("dry run: nothing is sent")
        self.cached += 1
        return found

    async def aclose(self) -> None:
        """Close the store."""
        if self._store:
            self._store.close()


async def estimate(
    strategy: Strategy,
    client: DryClient,
    documents: Sequence[Document],
    chunks: Sequence[Chunk],
    *,
    store: ResponseStore | None,
    price: Price,
    target: int,
    rows_per_round: int,
    requests_per_round: int = 1,
    purpose: Purpose,
    max_attempts: int = 3,
) -> Estimate:
    """Walk the plan until ``target`` rows can be expected and price what was not in the store.

    Args:
        strategy: opened over ``client``.
        client: counts what would be sent.
        documents, chunks: what the run would read.
        store: for the averages of earlier responses; None takes priors.
        price: of the model.
        target: rows wanted.
        rows_per_round: rows the strategy asks for in one ``propose``.
        requests_per_round: requests one ``propose`` makes; all are priced as long as the first.
        purpose: ``train`` or ``exam``.
        max_attempts: rounds over each chunk.
    """
    order = opening_order(documents, chunks, salt=strategy.name)
    visits = [(visit, attempt) for attempt in range(max_attempts) for visit in order]
    expected = 0.0
    walked = 0
    for visit, attempt in visits:
        if expected >= target or len(client.unsent) >= WALKED_EXACTLY:
            break
        before = len(client.unsent)
        found = await strategy.propose(visit.document, visit.chunk, purpose=purpose, attempt=attempt)
        expected += len(found.samples) + (len(client.unsent) - before) * rows_per_round * DEFAULT_YIELD
        walked += 1
    n_unsent = float(len(client.unsent))
    if expected < target and client.unsent:
        beyond = min(len(visits) - walked, (target - expected) / (rows_per_round * DEFAULT_YIELD))
        n_unsent += beyond
        expected += beyond * rows_per_round * DEFAULT_YIELD
    return _price(client, store, n_unsent * requests_per_round, price, min(target, round(expected)), rows_per_round / requests_per_round)


def _price(client: DryClient, store: ResponseStore | None, n_unsent: float, price: Price, rows: int, rows_per_request: float) -> Estimate:
    prompts = [sum(estimate_tokens(m.content) for m in r.messages) for r in client.unsent]
    mean_in = statistics.fmean(prompts) if prompts else 0.0
    mean_out = rows_per_request * TOKENS_PER_ROW
    most_out = max((r.parameters.max_tokens or 0 for r in client.unsent), default=0)
    model = client.unsent[0].model if client.unsent else ""
    seen = [m for m in store.by_model() if m.model == model] if store else []
    responses = sum(m.responses for m in seen)
    measured = responses >= ENOUGH_RESPONSES
    if measured:
        mean_out = sum(m.tokens_out for m in seen) / responses
    tokens_in, tokens_out = round(n_unsent * mean_in), round(n_unsent * mean_out)
    most = price.cost(n_unsent * max(prompts, default=0), n_unsent * max(most_out, mean_out))
    requests = round(n_unsent) + client.cached
    return Estimate(requests, client.cached, rows, tokens_in, tokens_out, price.cost(tokens_in, tokens_out), most, measured, price)
