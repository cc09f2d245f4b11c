"""LLM providers behind one coroutine, with one response store, one limiter and one retry loop for all of them."""

import os
import random
from pathlib import Path

from datagen.clients.base import RetryingClient, RetryPolicy
from datagen.clients.caching import CachingClient
from datagen.clients.limiter import Limiter
from datagen.clients.replay import ReplayClient
from datagen.clients.spec import ModelSpec, parse_spec
from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatMessage, ChatRequest, ChatResponse, Client, Parameters, RequestFailed
from datagen.errors import UsageError

__all__ = [
    "CachingClient",
    "ChatMessage",
    "ChatRequest",
    "ChatResponse",
    "Client",
    "ModelSpec",
    "Parameters",
    "RequestFailed",
    "ResponseStore",
    "RetryPolicy",
    "open_client",
    "parse_spec",
]


def open_client(
    spec: str,
    store_path: Path | None,
    *,
    concurrency: int,
    timeout_s: float = 60,
    retry: RetryPolicy | None = None,
    rng: random.Random | None = None,
) -> CachingClient:
    """Open a client for a model spec (see :mod:`datagen.clients.spec`).

    The client may be used in one event loop after the other; connections close with their loop.

    Args:
        spec: ``openai:MODEL@BASE_URL``, ``openai:MODEL``, or ``replay:`` in front of one of these.
        store_path: the response store's file; None keeps responses in memory only.
        concurrency: most requests under way at once.
        timeout_s: seconds until an exchange without an answer counts as failed.
        retry: how long to keep trying.
        rng: draws the jitter of waits; it has no influence on results.

    Raises:
        UsageError: unknown provider, wrong base URL, or no API key in ``OPENAI_API_KEY`` for a server elsewhere.
    """
    model = parse_spec(spec)
    if model.replay:
        if store_path is None or not store_path.exists():
            raise UsageError(f"model '{spec}': there is no response store at {store_path}", hint="run once without 'replay:' to fill one")
        return CachingClient(ReplayClient(str(store_path)), ResponseStore(store_path))
    key = os.environ.get("OPENAI_API_KEY", "").strip() or ("none" if model.loopback else "")
    if not key:
        raise UsageError(f"no API key for {model.base_url}", hint="set the environment variable OPENAI_API_KEY")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise UsageError("OPENAI_API_KEY holds characters no key has (spaces or non-ASCII)", hint="copy the key again")
    from datagen.clients.openai_compatible import OpenAICompatible

    adapter = OpenAICompatible(model.base_url, key, timeout_s=timeout_s, loopback=model.loopback)
    client = RetryingClient(adapter, limiter=Limiter(concurrency), policy=retry or RetryPolicy(), rng=rng or random.Random())
    return CachingClient(client, ResponseStore(store_path))
