"""LLM providers behind one coroutine. :func:`open_client` reads a model string; everything else is behind it."""

from pathlib import Path
from typing import TYPE_CHECKING

from datagen.errors import UsageError, suggest

if TYPE_CHECKING:
    from datagen.clients.base import StoredClient

PROVIDERS = ("openai", "replay")


def open_client(spec: str, store_path: Path | None, *, concurrency: int, timeout_s: float = 60.0) -> "StoredClient":
    """Open a client from ``openai:MODEL``, ``openai:MODEL@BASE_URL`` or ``replay:openai:MODEL@BASE_URL``.

    Args:
        spec: provider, model and, optionally, base URL. Without one, ``OPENAI_BASE_URL`` or OpenAI's own.
        store_path: response store; None pays for every request anew.
        concurrency: requests under way at most.
        timeout_s: seconds to wait for one answer.

    Raises:
        UsageError: a spec of another form, an unknown provider, or no API key for a server that is not on loopback.
    """
    from datagen.clients.base import StoredClient
    from datagen.clients.openai_compatible import DEFAULT_BASE_URL, OpenAICompatible
    from datagen.clients.replay import Replay
    from datagen.clients.store import ResponseStore

    provider, _, rest = spec.partition(":")
    model, _, base_url = rest.partition("@")
    if provider == "replay":
        if store_path is None:
            raise UsageError(f"'{spec}': replay needs a response store")
        inner, _, rest = rest.partition(":")
        model, _, base_url = rest.partition("@")
        if inner != "openai" or not model:
            raise UsageError(f"'{spec}' is not a model string", hint="replay:openai:MODEL@BASE_URL")
        return StoredClient(Replay(inner, (base_url or DEFAULT_BASE_URL).rstrip("/"), model), ResponseStore(store_path), concurrency=concurrency)
    if provider != "openai":
        raise UsageError(f"'{spec}': unknown provider '{provider}'", hint=f"{suggest(provider, PROVIDERS)}; for example openai:MODEL@http://127.0.0.1:8000/v1")
    if not model or (base_url and not base_url.startswith(("http://", "https://"))):
        raise UsageError(f"'{spec}' is not a model string", hint="openai:MODEL or openai:MODEL@http://HOST:PORT/v1")
    sender = OpenAICompatible(model, base_url or None, timeout_s=timeout_s)
    return StoredClient(sender, ResponseStore(store_path) if store_path else None, concurrency=concurrency)
