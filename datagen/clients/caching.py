"""The client users hold: the response store first, then the provider; what was paid is stored before anyone sees it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Protocol

from datagen.clients.budget import Budget
from datagen.clients.landing import Landing, Slot
from datagen.clients.prices import FREE
from datagen.clients.store import Entry, ResponseStore
from datagen.clients.types import ChatRequest, ChatResponse, Client
from datagen.errors import DatagenError


class Provider(Client, Protocol):
    """A client that pays: it can be told to finish what is on the wire and to start nothing more for now."""

    async def drain(self) -> None:
        """Give up requests that are not on the wire, and wait for those that are."""
        ...


@dataclass(slots=True)
class Usage:
    """Counts since the client was opened: completions asked for, those the store answered, and tokens that were paid."""

    requests: int = 0
    cached: int = 0
    paid_tokens_in: int = 0
    paid_tokens_out: int = 0


class Keeper:
    """Keeps answers from the moment an adapter reads them, once and under the key that is known already.

    An answer that lies in a slot (see ``landing``) is committed together with the others that came in the same turn of the event loop,
    before any of those who wait goes on; one that does not is committed at once.

    Args:
        store: where responses are kept.
    """

    def __init__(self, store: ResponseStore) -> None:
        self._store = store
        self._landing = Landing(store.path) if store.path else None
        self._asked: dict[int, tuple[str, bytes]] = {}
        self._kept: dict[int, ChatResponse | DatagenError] = {}
        self._pending: list[tuple[int, Entry]] = []

    def expect(self, request: ChatRequest, key: str, canonical: bytes) -> None:
        """Tell the key of a request that is about to be sent; the same object must live until it is settled or forgotten."""
        self._asked[id(request)] = (key, canonical)

    def land(self, request: ChatRequest) -> Slot | None:
        """Return a slot for the answer to an expected request, to be given back; None where there is none."""
        expected = self._asked.get(id(request))
        return self._landing.take(expected[1]) if self._landing and expected else None

    def give_back(self, request: ChatRequest, slot: Slot) -> None:
        """Clear a slot; what was in it is committed, or will never be whole. One that could not be committed stays, for the next client."""
        assert self._landing is not None
        if not isinstance(self._kept.get(id(request)), DatagenError):
            self._landing.give_back(slot)

    def keep(self, request: ChatRequest, response: ChatResponse, *, landed: bool) -> None:
        """Store a response; of a request that is expected no more (its task was cancelled while the answer came) as well."""
        expected = self._asked.get(id(request))
        if expected is None:
            self._store.put(request, response)
        elif landed:
            if not self._pending:
                # Before those who wait for these answers: the loop runs what is scheduled in order.
                asyncio.get_running_loop().call_soon(self._commit)
            self._pending.append((id(request), Entry(*expected, request, response)))
        else:
            self._kept[id(request)] = self._store.put_entry(Entry(*expected, request, response))

    def settle(self, request: ChatRequest) -> ChatResponse | None:
        """Forget a request and return the response that counts for it, None if the adapter stored none.

        Raises:
            DatagenError: it could not be stored.
        """
        kept = self.forget(request)
        if isinstance(kept, DatagenError):
            raise kept
        return kept

    def forget(self, request: ChatRequest) -> "ChatResponse | DatagenError | None":
        """Forget a request that failed."""
        del self._asked[id(request)]
        return self._kept.pop(id(request), None)

    def close(self) -> None:
        """Commit what is pending and give the slots up."""
        self._commit()
        if self._landing is not None:
            self._landing.close()

    def _commit(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        outcomes: Sequence[ChatResponse | DatagenError]
        try:
            outcomes = self._store.put_entries([entry for _, entry in pending])
        except DatagenError as error:
            outcomes = [error] * len(pending)
        self._kept.update((asked, outcome) for (asked, _), outcome in zip(pending, outcomes, strict=True) if asked in self._asked)


class _Payment(NamedTuple):
    """A request that is being paid for, and those who wait for its answer."""

    task: asyncio.Task[ChatResponse]
    waiting: list[asyncio.Future[ChatResponse]]


class CachingClient:
    """Completes each distinct request once. Two coroutines that ask the same wait for one response.

    Args:
        inner: completes what the store does not have.
        store: where responses are kept.
        budget: the cap that ``inner`` keeps, to be read by whoever shows costs.
        keeper: the one that the adapter below ``inner`` stores by while it reads, if it does.
    """

    def __init__(self, inner: Provider, store: ResponseStore, *, budget: Budget | None = None, keeper: Keeper | None = None) -> None:
        self.store = store
        self.usage = Usage()
        self.budget = budget or Budget(None, FREE)
        self._inner = inner
        self._keeper = keeper or Keeper(store)
        self._under_way: dict[str, _Payment] = {}

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Return the stored response, or pay for one and store it."""
        canonical = request.canonical()
        key = request.keyed(canonical)
        payment = self._under_way.get(key)
        paying = payment is None
        if payment is None:
            found = self.store.get(key)
            if found is not None:
                return self._count(found)
            payment = self._under_way[key] = _Payment(asyncio.ensure_future(self._pay(key, canonical, request)), [])
            payment.task.add_done_callback(partial(self._hand_out, key))
        # A caller that is cancelled leaves the exchange alone: it is paid for, and kept for the next run.
        answer = asyncio.get_running_loop().create_future()
        payment.waiting.append(answer)
        response: ChatResponse = await answer
        if not paying:
            response = replace(response, cached=True)
        return self._count(response)

    async def drain(self) -> None:
        """Start nothing more, wait for what is on the wire, and store it. The client can be used again afterwards."""
        await self._inner.drain()
        while self._under_way:
            await asyncio.wait([payment.task for payment in self._under_way.values()])

    async def aclose(self) -> None:
        """Drain, then close the provider's connections and the store."""
        try:
            await self._inner.aclose()
            await self.drain()
            self._keeper.close()
        finally:
            self.store.close()

    async def _pay(self, key: str, canonical: bytes, request: ChatRequest) -> ChatResponse:
        self._keeper.expect(request, key, canonical)
        try:
            response = await self._inner.complete(request)
        except BaseException:
            self._keeper.forget(request)
            raise
        # Committed here and now, unless the adapter did while it read: every turn of the event loop in between is a moment in which a kill
        # loses a paid answer.
        stored = self._keeper.settle(request) or self.store.put_entry(Entry(key, canonical, request, response))
        self.usage.paid_tokens_in += stored.tokens_in
        self.usage.paid_tokens_out += stored.tokens_out
        return response if stored is response or replace(stored, cached=False) == response else stored

    def _count(self, response: ChatResponse) -> ChatResponse:
        self.usage.requests += 1
        self.usage.cached += response.cached
        return response

    def _hand_out(self, key: str, task: asyncio.Task[ChatResponse]) -> None:
        """Tell those who wait what became of a payment."""
        error = None if task.cancelled() else task.exception()
        for answer in self._under_way.pop(key).waiting:
            if answer.done():
                continue
            if task.cancelled():
                answer.cancel()
            elif error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(task.result())
