"""The one retry loop, around any adapter: backoff, limiter, circuit breaker, and who is told what when it is over.

Retried are 408, 409, 429, 5xx, timeouts and connection errors, with exponential backoff and full jitter; never 400, 401, 403, 404.
A request that used up its retries while no other succeeded means that the endpoint is down: the breaker opens, and every request of
this client ends at once with the same error. If others did succeed, only that request has failed (:class:`RequestFailed`).

Source: M. Brooker, "Exponential backoff and jitter", AWS architecture blog, 2015 (full jitter).
"""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Protocol

from datagen.clients.limiter import Limiter
from datagen.clients.types import ChatRequest, ChatResponse, ExchangeFailed, RequestFailed
from datagen.errors import ProviderError


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

    async def send(self, request: ChatRequest) -> ChatResponse:
        """Send one request.

        Raises:
            ExchangeFailed: with the kind that decides whether to try again.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


class RetryingClient:
    """A :class:`~datagen.clients.types.Client` over an adapter. ``rng`` draws the jitter and nothing else."""

    def __init__(self, adapter: Adapter, *, limiter: Limiter, policy: RetryPolicy, rng: random.Random) -> None:
        self._adapter = adapter
        self._limiter = limiter
        self._policy = policy
        self._rng = rng
        self._successes = 0
        self._rejections = 0
        self._broken: ProviderError | None = None

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Send until it works or trying on makes no sense."""
        began_s = time.monotonic()
        successes_before = self._successes
        failures = tries = 0
        while True:
            try:
                response = await self._exchange(request)
            except ExchangeFailed as failure:
                tries += 1
                failures += failure.kind != "throttled"
                gave_up = failures >= self._policy.max_failures or time.monotonic() - began_s > self._policy.patience_s
                if not failure.retryable or gave_up or (failure.retry_after_s or 0) > self._policy.longest_retry_after_s:
                    raise self._end(failure, tries, successes_before) from failure
                await asyncio.sleep(self._wait_s(tries, failure.retry_after_s))
            else:
                self._successes += 1
                return response

    async def aclose(self) -> None:
        """Close the adapter."""
        await self._adapter.aclose()

    async def _exchange(self, request: ChatRequest) -> ChatResponse:
        async with self._limiter.slot() as burst:
            if self._broken:
                raise self._broken
            try:
                response = await self._adapter.send(request)
            except ExchangeFailed as failure:
                if failure.kind == "throttled":
                    patient = (failure.retry_after_s or 0) <= self._policy.longest_retry_after_s
                    self._limiter.throttled(burst, failure.retry_after_s if patient else None)
                raise
            self._limiter.succeeded()
            return response

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
