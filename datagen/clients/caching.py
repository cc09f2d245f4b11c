"""The client users hold: the response store first, then the provider; what was paid is stored before anyone sees it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatRequest, ChatResponse, Client


@dataclass(slots=True)
class Usage:
    """Counts since the client was opened: completions asked for, those the store answered, and tokens that were paid."""

    requests: int = 0
    cached: int = 0
    paid_tokens_in: int = 0
    paid_tokens_out: int = 0


class CachingClient:
    """Completes each distinct request once. Two coroutines that ask the same wait for one response."""

    def __init__(self, inner: Client, store: ResponseStore) -> None:
        self.store = store
        self.usage = Usage()
        self._inner = inner
        self._under_way: dict[str, tuple[asyncio.Lock, int]] = {}

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Return the stored response, or pay for one and store it."""
        key = request.key()
        async with self._alone(key):
            response = self.store.get(key)
            if response is None:
                response = self.store.put(request, await self._inner.complete(request))
                self.usage.paid_tokens_in += response.tokens_in
                self.usage.paid_tokens_out += response.tokens_out
            else:
                self.usage.cached += 1
        self.usage.requests += 1
        return response

    async def aclose(self) -> None:
        """Close the provider's connections and the store."""
        try:
            await self._inner.aclose()
        finally:
            self.store.close()

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncGenerator[None]:
        lock, holders = self._under_way.get(key, (asyncio.Lock(), 0))
        self._under_way[key] = (lock, holders + 1)
        try:
            async with lock:
                yield
        finally:
            _, holders = self._under_way.pop(key)
            if holders > 1:
                self._under_way[key] = (lock, holders - 1)
