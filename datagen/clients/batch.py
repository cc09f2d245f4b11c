"""Batch APIs of OpenAI and Gemini: half the price, answers within a day, and the same response store and resume.

A batch client collects requests until no more arrive, sends them as one batch, waits for it, and hands out the answers; the caller sees
ordinary completions, and re-asked ones go into the next batch. Batches under way are kept in ``batches.json`` beside the store:

- before a batch is created, its requests and a token are written, and the token goes into the batch (OpenAI ``metadata``, Gemini
  ``display_name``). A run killed right after creation finds the batch by its token in the provider's list;
- a request whose key lies in a batch under way waits for that batch. It is never sent again, so nothing is paid twice.

A line the provider refused fails alone (``RequestFailed``); a batch that failed, expired or was cancelled ends the run with its reason.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from datagen.clients.budget import Budget
from datagen.clients.spec import ModelSpec
from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatRequest, ChatResponse, ExchangeFailed, RequestFailed
from datagen.errors import ProviderError
from datagen.jsonl import JsonObject, read_json, write_json

LINGER_S = 0.5
"""A batch is sent when no request has arrived for so long."""
MOST_REQUESTS = 10_000
FIRST_POLL_S = 1.0
LONGEST_POLL_S = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one line: the answer's JSON, or the provider's words."""

    key: str
    payload: JsonObject | None
    error: str = ""


def requests_under_way(ledger: Path, spec: ModelSpec) -> int:
    """Return how many requests to a model lie in batches that no run has taken the answers of; unreadable files are :class:`BatchClient`'s
    matter."""
    if not ledger.exists():
        return 0
    asked = [request for batch in read_json(ledger)["batches"] for request in batch["requests"]]
    return sum((r["provider"], r["base_url"], r["model"]) == (spec.provider, spec.base_url, spec.model) for r in asked)


class BatchApi(Protocol):
    """A vendor's batch API."""

    async def create(self, token: str, requests: Mapping[str, ChatRequest]) -> str:
        """Send a batch and return its id; ``token`` is found again by :meth:`find`."""
        ...

    async def find(self, token: str) -> str | None:
        """Return the id of the batch that carries a token, None if the provider has none."""
        ...

    async def results(self, batch_id: str) -> list[Result] | None:
        """Return the results of a batch, None while it runs.

        Raises:
            ProviderError: it failed, expired or was cancelled.
        """
        ...

    def parse(self, payload: JsonObject, request: ChatRequest) -> ChatResponse:
        """Read one answer.

        Raises:
            ExchangeFailed: it is none.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...


@dataclass(frozen=True, slots=True)
class _Open:
    """A batch under way: its token, the requests in it by key, and its id once the provider gave one."""

    token: str
    requests: Mapping[str, ChatRequest]
    id: str = ""


class BatchClient:
    """A client over a batch API. Used in one event loop at a time.

    Args:
        api: the vendor's.
        store: every answer of a batch goes here, also those nobody waits for any more.
        ledger: file that keeps batches under way; None keeps them in memory only.
        budget: the cap on money; a batch that could cross it is not sent.
        first_poll_s: wait before a batch is asked about; doubles, up to a minute.
    """

    def __init__(
        self, api: BatchApi, *, store: ResponseStore, ledger: Path | None, budget: Budget, first_poll_s: float = FIRST_POLL_S
    ) -> None:
        self.budget = budget
        self._api = api
        self._store = store
        self._ledger = ledger
        self._first_poll_s = first_poll_s
        self._waiting: dict[str, tuple[ChatRequest, asyncio.Future[ChatResponse]]] = {}
        self._arrived = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._open: list[_Open] | None = None

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Wait for the batch this request is in.

        Raises:
            RequestFailed: the provider refused this line.
            ProviderError: the batch as a whole failed.
        """
        key = request.key()
        answer = asyncio.get_running_loop().create_future()
        self._waiting[key] = (request, answer)
        if self._sender is None or self._sender.done():
            self._arrived = asyncio.Event()
            self._sender = asyncio.ensure_future(self._work())
        self._arrived.set()
        try:
            return await answer
        finally:
            self._waiting.pop(key, None)

    async def drain(self) -> None:
        """Stop waiting. Batches under way go on at the provider; the next run takes their answers."""
        if self._sender is not None and not self._sender.done():
            self._sender.cancel()
            await asyncio.wait([self._sender])
        for _, answer in self._waiting.values():
            answer.cancel()

    async def aclose(self) -> None:
        """Drain and close connections."""
        await self.drain()
        await self._api.aclose()

    async def _work(self) -> None:
        try:
            if self._open is None:
                self._open = await self._read_ledger()
            while self._waiting:
                await self._quiet()
                mine = {key for batch in self._open for key in batch.requests}
                new = [(key, request) for key, (request, _) in self._waiting.items() if key not in mine][:MOST_REQUESTS]
                if new:
                    await self._send(dict(new))
                elif not self._open:
                    return
                await self._collect(self._open[0])
        except ProviderError as error:
            for _, answer in list(self._waiting.values()):
                if not answer.done():
                    answer.set_exception(error)

    async def _quiet(self) -> None:
        """Return when no request has arrived for a while."""
        while True:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), LINGER_S)
            except TimeoutError:
                return

    async def _send(self, requests: dict[str, ChatRequest]) -> None:
        assert self._open is not None
        self.budget.require(requests.values())
        batch = _Open(secrets.token_hex(8), requests)
        self._open.append(batch)
        self._write_ledger()
        batch_id = await self._api.create(batch.token, requests)
        self._open[-1] = replace(batch, id=batch_id)
        self._write_ledger()

    async def _collect(self, batch: _Open) -> None:
        assert self._open is not None
        poll_s = self._first_poll_s
        try:
            while (results := await self._api.results(batch.id)) is None:
                await asyncio.sleep(poll_s)
                poll_s = min(LONGEST_POLL_S, poll_s * 2)
        except ProviderError:
            self._close(batch)
            raise
        outcomes = {result.key: self._read(result, batch) for result in results}
        for key in batch.requests:
            if key not in self._waiting or self._waiting[key][1].done():
                continue
            outcome = outcomes.get(key) or RequestFailed(f"batch {batch.id} came back without this request")
            if isinstance(outcome, RequestFailed):
                self._waiting[key][1].set_exception(outcome)
            else:
                self._waiting[key][1].set_result(outcome)
        self._close(batch)

    def _read(self, result: Result, batch: _Open) -> ChatResponse | RequestFailed:
        """Read and store one line of a batch."""
        request = batch.requests.get(result.key)
        if request is None or result.payload is None:
            return RequestFailed(f"a line of batch {batch.id} failed: {result.error[:300]}", hint="see the provider's words")
        try:
            response = self._api.parse(result.payload, request)
        except ExchangeFailed as failure:
            return RequestFailed(failure.message, hint=failure.hint)
        self.budget.spend(response)
        return self._store.put(request, response)

    def _close(self, batch: _Open) -> None:
        assert self._open is not None
        self._open = [b for b in self._open if b.token != batch.token]
        self._write_ledger()

    async def _read_ledger(self) -> list[_Open]:
        if self._ledger is None or not self._ledger.exists():
            return []
        known: list[_Open] = []
        for entry in read_json(self._ledger)["batches"]:
            requests = [ChatRequest.from_json(r) for r in entry["requests"]]
            batch = _Open(str(entry["token"]), {r.key(): r for r in requests}, str(entry["id"]))
            # Written and never confirmed: the provider has it, or it was never created.
            batch_id = batch.id or await self._api.find(batch.token)
            if batch_id:
                known.append(replace(batch, id=batch_id))
        return known

    def _write_ledger(self) -> None:
        if self._ledger is not None:
            batches = [{"token": b.token, "id": b.id, "requests": [r.to_json() for r in b.requests.values()]} for b in self._open or []]
            write_json(self._ledger, {"batches": batches})
