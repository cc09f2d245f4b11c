"""What a run would cost, before anything is sent: the requests themselves are built, those the store has are free, the rest is counted.

The plan is walked as the runner walks it. A stored response gives its real rows; a request that would be sent gives the rows asked for
times the yield, and its tokens are estimated: the prompt by ``text.estimate_tokens``, the completion by what this model's stored
responses took on average once there are twenty of them, else by a prior per row. A strategy that builds its second request from the
answer to its first shows only the first; the others are taken to be like it.

A judge is priced with the rows it will read, one request a row and two a pair: those of stored rows are built, those of rows not yet
written are taken to be as long as the prior for a row.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from datagen.clients.prices import FREE, Price
from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatRequest, ChatResponse, RequestFailed
from datagen.generate.grading import GRADE_TOKENS
from datagen.generate.plan import opening_order
from datagen.generate.strategy import Purpose, Strategy
from datagen.jsonl import JsonObject
from datagen.schemas.document import Chunk, Document
from datagen.text import estimate_tokens

ENOUGH_RESPONSES = 20
TOKENS_PER_ROW = 120
"""Prior for a row with its quote as JSON, until there are twenty responses to measure."""
DEFAULT_YIELD = 0.8
JUDGE_YIELD = 0.9
"""Prior for the share of grounded rows a judge lets through."""
TOKENS_PER_GRADE = 80
"""Prior for a judge's reason and grades."""
WALKED_EXACTLY = 200
"""Requests built and measured one by one; beyond, their mean is taken."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A priced plan. Dollars; ``cost_most`` is what the run cannot exceed: every completion as long as ``max_tokens``.

    Attributes:
        requests: requests the run would make, the judge's included, as in all figures.
        cached: of these, answered by the store for nothing.
        rows: rows to expect, at most the target.
        tokens_in, tokens_out: estimated tokens of the requests that would be paid.
        measured: whether completions are estimated from stored responses of the model.
        price: of the model that writes.
        judge: the judge's part of these figures, None without one.
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
    judge: "Estimate | None" = None

    @property
    def free(self) -> bool:
        """Whether nothing is paid, however much is sent: models on this machine, or listed at a price of 0."""
        return self.price == FREE and (self.judge is None or self.judge.free)

    def with_judge(self, judge: "Estimate") -> "Estimate":
        """Return the sum of a writer's estimate and its judge's."""
        return replace(
            self,
            requests=self.requests + judge.requests,
            cached=self.cached + judge.cached,
            tokens_in=self.tokens_in + judge.tokens_in,
            tokens_out=self.tokens_out + judge.tokens_out,
            cost=self.cost + judge.cost,
            cost_most=self.cost_most + judge.cost_most,
            judge=judge,
        )

    def to_json(self) -> JsonObject:
        """Return the fields, the price as dollars per million tokens."""
        judge = {"judge": self.judge.to_json()} if self.judge else {}
        return {
            "requests": self.requests,
            "cached": self.cached,
            "rows": self.rows,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "cost_usd": round(self.cost, 6),
            "cost_most_usd": round(self.cost_most, 6),
            "free": self.free,
            "measured": self.measured,
            "price_usd_per_million": {"input": self.price.input, "output": self.price.output},
            **judge,
        }


class DryClient:
    """A client that sends nothing: it answers from the store, and counts and refuses the rest.

    Attributes:
        unsent: requests the store has no answer to.
        cached: requests it answered.
        tokens_out: their completion tokens.
    """

    def __init__(self, store: ResponseStore | None) -> None:
        self.unsent: list[ChatRequest] = []
        self.cached = 0
        self.tokens_out = 0
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
        self.tokens_out += found.tokens_out
        return found

    async def aclose(self) -> None:
        """Close the store."""
        if self._store:
            self._store.close()


@dataclass(frozen=True, slots=True)
class DryJudge:
    """A judge to price.

    Attributes:
        client: its own; asked by the judged strategy.
        price: of its model.
        requests_per_row: 1, 2 for pairs (both orders), 0 for rows it does not read.
        prompt_tokens: its prompt without a row.
    """

    client: DryClient
    price: Price
    requests_per_row: int
    prompt_tokens: int

    def estimate(self, new_rows: float, longest_rows: float) -> Estimate:
        """Price the rows walked over and ``new_rows`` unwritten ones.

        Args:
            new_rows: rows to expect from requests that would be sent.
            longest_rows: most tokens those rows can have, all together.
        """
        known = [sum(estimate_tokens(m.content) for m in r.messages) for r in self.client.unsent]
        # Of a pair only the first request was built: it failed, and the second one never came.
        in_known = sum(known) * self.requests_per_row
        n_new = new_rows * self.requests_per_row
        n_unsent = len(known) * self.requests_per_row + n_new
        measured = self.client.cached >= ENOUGH_RESPONSES
        mean_out = self.client.tokens_out / self.client.cached if measured else TOKENS_PER_GRADE
        tokens_in = round(in_known + n_new * (self.prompt_tokens + TOKENS_PER_ROW))
        tokens_out = round(n_unsent * mean_out)
        # Every row that was asked for passes the rules and is read.
        n_most = len(known) * self.requests_per_row + n_new / DEFAULT_YIELD
        most_in = in_known + n_new / DEFAULT_YIELD * self.prompt_tokens + longest_rows * self.requests_per_row
        most = self.price.cost(max(most_in, tokens_in), n_most * GRADE_TOKENS)
        requests = round(n_unsent) + self.client.cached
        cost = self.price.cost(tokens_in, tokens_out)
        return Estimate(requests, self.client.cached, round(new_rows), tokens_in, tokens_out, cost, most, measured, self.price)


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
    judge: DryJudge | None = None,
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
        judge: reads the rows of ``strategy``, which asks its client; None for none.
    """
    passes = JUDGE_YIELD if judge and judge.requests_per_row else 1.0
    per_request = rows_per_round * DEFAULT_YIELD
    order = opening_order(documents, chunks, salt=strategy.name)
    visits = [(visit, attempt) for attempt in range(max_attempts) for visit in order]
    expected = 0.0
    walked = 0
    for visit, attempt in visits:
        if expected >= target or len(client.unsent) >= WALKED_EXACTLY:
            break
        before, ungraded = len(client.unsent), len(judge.client.unsent) if judge else 0
        found = await strategy.propose(visit.document, visit.chunk, purpose=purpose, attempt=attempt)
        read = len(judge.client.unsent) - ungraded if judge else 0
        expected += len(found.samples) + (read + (len(client.unsent) - before) * per_request) * passes
        walked += 1
    n_unsent = float(len(client.unsent))
    if expected < target and client.unsent:
        beyond = min(len(visits) - walked, (target - expected) / (per_request * passes))
        n_unsent += beyond
        expected += beyond * per_request * passes
    rows = min(target, round(expected))
    writer = _price(client, store, n_unsent * requests_per_round, price, rows, rows_per_round / requests_per_round)
    if judge is None:
        return writer
    longest = n_unsent * max((r.parameters.max_tokens or 0 for r in client.unsent), default=0)
    return writer.with_judge(judge.estimate(n_unsent * per_request, longest))


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
