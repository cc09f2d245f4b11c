"""From a model spec to a client: provider, key, limiter, budget and response store put together."""

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from datagen.clients.base import Adapter, RetryingClient, RetryPolicy
from datagen.clients.budget import Account, Budget
from datagen.clients.caching import CachingClient, Keeper, Provider
from datagen.clients.keys import default_key_file, find_key, key_variables
from datagen.clients.landing import recover
from datagen.clients.limiter import Limiter
from datagen.clients.prices import BATCH_SHARE, FREE, Price, PriceTable, load_prices
from datagen.clients.replay import ReplayClient
from datagen.clients.spec import ModelSpec, parse_spec
from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatRequest
from datagen.errors import UsageError

BATCH_PROVIDERS = ("openai", "gemini")
BATCH_TIMEOUT_S = 600.0
"""For one call of a batch API: uploads and lists, never the batch itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client keeps to.

    Attributes:
        rpm: most requests a minute; None learns it from the server's headers.
        tpm: most tokens a minute, prompts and completions.
        budget: most dollars that all responses in the store may cost, those of earlier runs included; None has no cap.
    """

    rpm: float | None = None
    tpm: float | None = None
    budget: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A spec with its key, ready to build adapters from. The key shows in no repr."""

    model: ModelSpec
    key: str = field(repr=False)


def open_client(
    spec: str,
    store_path: Path | None,
    *,
    concurrency: int,
    timeout_s: float = 60,
    retry: RetryPolicy | None = None,
    rng: random.Random | None = None,
    limits: Limits | None = None,
    batch: bool = False,
    workspace: Path | None = None,
    find_model: Callable[[str], Path] | None = None,
    account: Account | None = None,
) -> CachingClient:
    """Open a client for a model spec (see :mod:`datagen.clients.spec`).

    The client may be used in one event loop after the other; connections close with their loop. Before a loop ends, ``drain`` it, or
    what is on the wire is paid for and lost.

    Args:
        spec: ``openai:MODEL@BASE_URL``, ``openai:MODEL``, ``gemini:MODEL``, ``gemini-legacy:MODEL``, ``local:PATH``, or ``replay:`` in
            front of one of these.
        store_path: the response store's file; None keeps responses in memory only.
        concurrency: most requests under way at once; with ``local:``, the batch size.
        timeout_s: seconds until an exchange without an answer counts as failed.
        retry: how long to keep trying.
        rng: draws the jitter of waits; it has no influence on results.
        limits: rates and budget.
        batch: send through the provider's batch API: half the price, answers within a day (see :mod:`datagen.clients.batch`). A ``local:``
            model has none and answers at once.
        find_model: turns the name after ``local:`` into a folder; without it, the name is one.
        workspace: folder that may hold no key file, and whose ``prices.yaml`` counts.
        account: the budget's account, shared with the clients of other models over the same store; stands in for ``limits.budget``.

    Raises:
        UsageError: unknown provider, wrong base URL, no API key for a server elsewhere, no price for a model that has a budget, a batch
            API asked of a provider without one, or requests to this model in a batch under way that ``batch`` is not asked for.
    """
    model = parse_spec(spec)
    limits = limits or Limits()
    if model.replay:
        if store_path is None or not store_path.exists():
            raise UsageError(f"model '{spec}': there is no response store at {store_path}", hint="run once without 'replay:' to fill one")
        return CachingClient(ReplayClient(str(store_path)), ResponseStore(store_path))
    if limits.budget is not None and limits.budget < 0:
        raise UsageError(f"a budget of {limits.budget} dollars is below zero")
    endpoint = Endpoint(model, "" if model.provider == "local" else _key(model, workspace))
    table = load_prices(workspace) if workspace else PriceTable({})
    cap = account.cap if account else limits.budget
    price = _price(model, table, needed=cap is not None).times(BATCH_SHARE if batch and model.provider in BATCH_PROVIDERS else 1)
    if store_path is not None and not batch:
        _refuse_to_pay_again(model, _ledger(store_path))
    store = ResponseStore(store_path)
    keeper = Keeper(store)
    try:
        store_landed(store)
        budget = Budget(cap, price, spent=spent(store, table) if cap is not None and account is None else 0.0, account=account)
        if model.provider == "local":
            provider = _open_local(model, concurrency, find_model)
        elif batch:
            provider = _open_batch(endpoint, store, budget)
        else:
            limiter = Limiter(concurrency, rpm=limits.rpm, tpm=limits.tpm)
            adapter = _open_adapter(endpoint, timeout_s, keeper)
            policy, rng = retry or RetryPolicy(), rng or random.Random()
            provider = RetryingClient(adapter, limiter=limiter, policy=policy, rng=rng, budget=budget)
    except BaseException:
        store.close()
        raise
    return CachingClient(provider, store, budget=budget, keeper=keeper)


def store_landed(store: ResponseStore) -> int:
    """Store the answers that had reached a process before it was killed (see :mod:`datagen.clients.landing`); return how many were new."""
    found = 0
    for canonical, raw in recover(store.path) if store.path else ():
        request = ChatRequest.from_json(json.loads(canonical.decode("utf-8", "surrogatepass")))
        if request.provider == "gemini":
            from datagen.clients.gemini import parse_landed
        else:
            from datagen.clients.openai_compatible import parse_landed
        response = parse_landed(raw, request)
        if response is not None:
            found += store.put(request, response) is response
    return found


def require_batches(models: Iterable[str]) -> None:
    """Check that at least one of these models is served by a batch API. Models on this machine may be among them: they answer at once.

    Raises:
        UsageError: there is none, so that ``--batch`` would change nothing; or a spec is none.
    """
    named = list(models)
    if not any(parse_spec(model).provider in BATCH_PROVIDERS for model in named):
        shown = ", ".join(named) or "no model is asked at all"
        raise UsageError(f"--batch: nothing here goes through a batch API ({shown})", hint="batches are for openai: and gemini: models")


def spent(store: ResponseStore, table: PriceTable) -> float:
    """Return the dollars that a store's responses cost at full price; models without a price cost nothing."""
    return sum((table.of(m.model) or FREE).cost(m.tokens_in, m.tokens_out) for m in store.by_model())


def spent_in(store_path: Path, workspace: Path) -> float:
    """Return :func:`spent` of a store by the workspace's price list; 0 if there is no store."""
    if not store_path.exists():
        return 0.0
    store = ResponseStore(store_path)
    try:
        return spent(store, load_prices(workspace))
    finally:
        store.close()


def _ledger(store_path: Path) -> Path:
    return store_path.with_name("batches.json")


def _refuse_to_pay_again(model: ModelSpec, ledger: Path) -> None:
    if not ledger.exists():
        return
    from datagen.clients.batch import requests_under_way

    asked = requests_under_way(ledger, model)
    if asked:
        raise UsageError(
            f"{asked} requests to {model.provider}:{model.model} lie in a batch under way, and would be paid for again",
            hint=f"run the same command with --batch, which takes the answers; to give them up, remove {ledger}",
        )


def _open_local(model: ModelSpec, batch_size: int, find_model: Callable[[str], Path] | None) -> Provider:
    from datagen.clients.local import LocalClient

    folder = find_model(model.model) if find_model else Path(model.model).expanduser()
    if not (folder / "config.json").is_file():
        hint = "a folder in transformers layout, or see `datagen models`"
        raise UsageError(f"local:{model.model}: no config.json in {folder}", hint=hint)
    return LocalClient(folder, batch_size=batch_size)


def _open_batch(endpoint: Endpoint, store: ResponseStore, budget: Budget) -> Provider:
    from datagen.clients.batch import BatchClient

    model = endpoint.model
    if model.provider not in BATCH_PROVIDERS:
        raise UsageError(f"--batch: {model.provider}: has no batch API", hint="batches are for openai: and gemini:")
    from datagen.clients.batch_vendors import GeminiBatches, OpenAIBatches

    vendor = OpenAIBatches if model.provider == "openai" else GeminiBatches
    ledger = _ledger(store.path) if store.path else None
    api = vendor(model.base_url, endpoint.key, timeout_s=BATCH_TIMEOUT_S, loopback=model.loopback)
    return BatchClient(api, store=store, ledger=ledger, budget=budget)


def _open_adapter(endpoint: Endpoint, timeout_s: float, keeper: Keeper) -> Adapter:
    model = endpoint.model
    if model.provider == "gemini":
        from datagen.clients.gemini import Gemini

        return Gemini(model.base_url, endpoint.key, timeout_s=timeout_s, loopback=model.loopback, keeper=keeper)
    if model.provider == "gemini-legacy":
        from datagen.clients.gemini_legacy import GeminiLegacy

        return GeminiLegacy(model.base_url, endpoint.key, timeout_s=timeout_s)
    from datagen.clients.openai_compatible import OpenAICompatible

    return OpenAICompatible(model.base_url, endpoint.key, timeout_s=timeout_s, loopback=model.loopback, keeper=keeper)


def _key(model: ModelSpec, workspace: Path | None) -> str:
    key = find_key(model.provider, model.base_url, workspace=workspace) or ("none" if model.loopback else "")
    if not key:
        names = key_variables(model.provider, model.base_url)
        raise UsageError(
            f"no API key for {model.base_url}",
            hint=f"set the environment variable {' or '.join(names)}, or write {names[0]}=... into {default_key_file()}",
        )
    return key


def _price(model: ModelSpec, table: PriceTable, *, needed: bool) -> Price:
    return table.require(model.model, free=model.loopback) if needed else table.of(model.model) or FREE
