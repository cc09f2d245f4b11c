"""The one retry loop, around any adapter: backoff, limiter, circuit breaker, and who is told what when it is over.

Retried are 408, 409, 429, 5xx, timeouts and connection errors, with exponential backoff and full jitter; never 400, 401, 403, 404.
(Not tenacity: what a failure means for the other requests (breaker, limiter, budget) decides here, which its per-call policies do not see.)
A request that used up its retries while no other succeeded means that the endpoint is down: the breaker opens, and every request of
this client ends at once with the same error. If others did succeed, only that request has failed (:class:`RequestFailed`).

Source: M. Brooker, "Exponential backoff and jitter", AWS architecture blog, 2015 (full jitter).
"""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Protocol

from datagen.clients.budget import Budget
from datagen.clients.limiter import Limiter, Slot
from datagen.clients.prices import FREE
from datagen.clients.types import ChatRequest, ChatResponse, Exchange, ExchangeFailed, RequestFailed
from datagen.errors import ProviderError
from datagen.text import estimate_tokens

DEFAULT_COMPLETION = 512
"""Tokens reserved for a completion until the first one tells better."""
_MEMORY = 0.1


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to keep trying.

    Attributes:
        max_failures: failures other than 429 before a request is given up.
        patience_s: wall time after which a request that is only ever throttled is given up.
        first_wait_s: backoff before the first retry; doubles each time, up to ``longest_wait_s``.
        longest_retry_after_s: a server that asks for a longer wait than this has no quota left; give up at once.
        rejections: rejected requests without a single success before the endpoint as a whole is taken to refuse.
    """

    max_failures: int = 5
    patience_s: float = 600
    first_wait_s: float = 0.5
    longest_wait_s: float = 30
    longest_retry_after_s: float = 300
    rejections: int = 5


class Adapter(Protocol):
    """One exchange with a provider, without retries."""

    async def send(self, request: ChatRequest) -> Exchange:
        """Send one request.

        Raises:
            ExchangeFailed: with the kind that decides whether to try again.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class RetryingClient:
    """A :class:`~datagen.clients.types.Client` over an adapter.

    Args:
        adapter: one exchange with the provider.
        limiter: how many at once, how fast.
        policy: how long to keep trying.
        rng: draws the jitter and nothing else.
        budget: the cap on money; None has no cap.
    """

    def __init__(
        self, adapter: Adapter, *, limiter: Limiter, policy: RetryPolicy, rng: random.Random, budget: Budget | None = None
    ) -> None:
        self.limiter = limiter
        self.budget = budget or Budget(None, FREE)
        self._adapter = adapter
        self._policy = policy
        self._rng = rng
        self._successes = 0
        self._rejections = 0
        self._broken: ProviderError | None = None
        self._on_wire: dict[asyncio.Task[object], bool] = {}
        self._draining = False
        self._completion = float(DEFAULT_COMPLETION)

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Send until it works or trying on makes no sense."""
        task = asyncio.current_task()
        assert task is not None
        self._on_wire[task] = False
        began_s = time.monotonic()
        successes_before = self._successes
        failures = tries = 0
        try:
            while True:
                try:
                    response = await self._exchange(request, task)
                except ExchangeFailed as failure:
                    tries += 1
                    failures += failure.kind != "throttled"
                    gave_up = failures >= self._policy.max_failures or time.monotonic() - began_s > self._policy.patience_s
                    too_long = (failure.retry_after_s or 0) > self._policy.longest_retry_after_s
                    if not failure.retryable or gave_up or too_long or self._draining:
                        raise self._end(failure, tries, successes_before) from failure
                    await asyncio.sleep(self._wait_s(tries, failure.retry_after_s))
                else:
                    self._successes += 1
                    return response
        finally:
            del self._on_wire[task]

    async def drain(self) -> None:
        """Cancel the tasks of requests that are not on the wire, and wait for those that are; they are not retried."""
        self._draining = True
        try:
            while self._on_wire:
                for task, on_wire in self._on_wire.items():
                    if not on_wire:
                        task.cancel()
                await asyncio.wait(list(self._on_wire), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._draining = False

    async def aclose(self) -> None:
        """Drain, then close the adapter."""
        await self.drain()
        await self._adapter.aclose()

    async def _exchange(self, request: ChatRequest, task: asyncio.Task[object]) -> ChatResponse:
        tokens = self._estimate(request) if self.limiter.tokens.limit is not None else 0.0
        async with self.limiter.slot(tokens) as slot:
            if self._broken:
                raise self._broken
            async with self.budget.hold(request) as hold:
                self._on_wire[task] = True
                try:
                    exchange = await self._adapter.send(request)
                except ExchangeFailed as failure:
                    self._refused(slot, failure)
                    raise
                finally:
                    self._on_wire[task] = False
                response = exchange.response
                hold.settle(response)
            self._completion += _MEMORY * (response.tokens_out - self._completion)
            self.limiter.succeeded(slot, response.tokens_in + response.tokens_out, exchange.allowances)
            return response

    def _refused(self, slot: Slot, failure: ExchangeFailed) -> None:
        if failure.kind != "throttled":
            self.limiter.failed(slot)
            return
        patient = (failure.retry_after_s or 0) <= self._policy.longest_retry_after_s
        self.limiter.throttled(slot, failure.retry_after_s if patient else None)

    def _estimate(self, request: ChatRequest) -> float:
        return sum(estimate_tokens(m.content) for m in request.messages) + self._completion

    def _wait_s(self, tries: int, retry_after_s: float | None) -> float:
        backoff = min(self._policy.longest_wait_s, self._policy.first_wait_s * 2 ** (tries - 1))
        jitter = self._rng.random()
        return backoff * jitter if retry_after_s is None else retry_after_s + self._policy.first_wait_s * jitter

    def _end(self, failure: ExchangeFailed, tries: int, successes_before: int) -> ProviderError:
        alone = self._successes > successes_before
        if failure.kind == "rejected":
            self._rejections += 1
            alone = self._successes > 0 or self._rejections < self._policy.rejections
        elif failure.kind == "fatal" or (failure.retry_after_s or 0) > self._policy.longest_retry_after_s:
            alone = False
        message = failure.message + (f" (tried {tries} times)" if tries > 1 else "")
        if alone:
            return RequestFailed(message, hint=failure.hint, retryable=failure.retryable, status=failure.status)
        error = self._broken or ProviderError(message, hint=failure.hint, retryable=failure.retryable, status=failure.status)
        self._broken = error
        return error
