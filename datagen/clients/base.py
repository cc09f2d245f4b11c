"""One store, one limiter and one retry loop around any provider's single send."""

import asyncio
import random
from typing import Protocol

import tenacity

from datagen.clients.limiter import Limiter
from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatRequest, ChatResponse
from datagen.errors import ProviderError

ATTEMPTS = 6
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 20.0


class Sender(Protocol):
    """A provider adapter: sends once, without retrying."""

    provider: str
    base_url: str
    model: str

    async def send(self, request: ChatRequest) -> ChatResponse: ...

    async def aclose(self) -> None: ...


class StoredClient:
    """Answers from the store when it can; else sends, retries, stores, and only then returns.

    Two equal requests under way at once share one response. After ``ATTEMPTS`` failures in a row of the connection itself all later
    requests fail at once: the server is dead, and one clear error is better than a thousand.
    """

    def __init__(self, sender: Sender, store: ResponseStore | None, *, concurrency: int, seed: int = 0) -> None:
        self._sender = sender
        self._store = store
        self._concurrency = concurrency
        self._rng = random.Random(seed)
        self._limiter: Limiter | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way: dict[str, asyncio.Future[ChatResponse]] = {}
        self._dead: ProviderError | None = None

    @property
    def provider(self) -> str:
        return self._sender.provider

    @property
    def base_url(self) -> str:
        return self._sender.base_url

    @property
    def model(self) -> str:
        return self._sender.model

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """See :class:`datagen.clients.types.Client`."""
        key = request.key()
        if self._store is not None and (stored := self._store.get(key)) is not None:
            return stored
        if self._loop is not asyncio.get_running_loop():
            self._loop, self._limiter, self._under_way = asyncio.get_running_loop(), Limiter(self._concurrency), {}
        if key in self._under_way:
            return await asyncio.shield(self._under_way[key])
        task = asyncio.ensure_future(self._send(request))
        self._under_way[key] = task
        try:
            return await task
        finally:
            self._under_way.pop(key, None)

    async def aclose(self) -> None:
        await self._sender.aclose()
        if self._store is not None:
            self._store.close()

    async def _send(self, request: ChatRequest) -> ChatResponse:
        assert self._limiter is not None
        limiter = self._limiter
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda e: isinstance(e, ProviderError) and e.retryable),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    if self._dead is not None:
                        raise self._dead
                    async with limiter:
                        response = await self._try(request, limiter)
                        # Stored before it is used: a kill after this line loses nothing that was paid.
                        if self._store is not None:
                            self._store.put(request, response)
                        return response
        except ProviderError as error:
            if error.retryable:
                final = ProviderError(
                    f"{error.message} ({ATTEMPTS} attempts)",
                    hint=error.hint or "run the same command again later: every response so far is stored and will not be paid again",
                    status=error.status,
                )
                if error.status is None:
                    self._dead = final
                raise final from error
            raise
        raise AssertionError("unreachable: tenacity returns or raises")

    async def _try(self, request: ChatRequest, limiter: Limiter) -> ChatResponse:
        try:
            response = await self._sender.send(request)
        except ProviderError as error:
            if error.status == 429:
                limiter.throttled(float(error.__dict__.get("retry_after_s", 0.0)))
            raise
        limiter.succeeded()
        return response

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Exponential backoff with full jitter, in seconds."""
        return self._rng.uniform(0.5, 1.0) * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (state.attempt_number - 1))
