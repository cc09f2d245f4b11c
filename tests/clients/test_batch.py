"""Batch APIs of both vendors against the stub: one batch, the store, resume after a kill, budget."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from datagen.clients import (
    BudgetExhausted,
    CachingClient,
    ChatMessage,
    ChatRequest,
    ChatResponse,
    Limits,
    Parameters,
    RequestFailed,
    open_client,
)
from datagen.clients.batch import BatchClient
from datagen.clients.batch_vendors import GeminiBatches, OpenAIBatches
from datagen.clients.budget import Budget
from datagen.clients.opening import require_batches
from datagen.clients.prices import FREE
from datagen.clients.store import ResponseStore
from datagen.errors import UsageError
from datagen.testing.stub_server import StubServer

PROVIDERS = ("openai", "gemini")


def url_of(stub: StubServer, provider: str) -> str:
    return stub.base_url if provider == "openai" else stub.gemini_url


def request(stub: StubServer, provider: str, i: int) -> ChatRequest:
    messages = (ChatMessage("system", "你是酒店客服。"), ChatMessage("user", f"第 {i} 问"))
    return ChatRequest(provider, url_of(stub, provider), "stub", messages, Parameters(max_tokens=50))


def open_batch(stub: StubServer, provider: str, folder: Path, budget: float | None = None) -> CachingClient:
    spec = f"{provider}:stub@{url_of(stub, provider)}"
    limits = Limits(budget=budget)
    return open_client(spec, folder / "r.sqlite", concurrency=1000, batch=True, workspace=folder, limits=limits)


def complete(client: CachingClient, requests: list[ChatRequest], *, until_batch_at: StubServer | None = None) -> list[Any]:
    """Ask all at once; with ``until_batch_at`` only until that server has a batch, however long a busy machine takes to send it."""

    async def run() -> list[Any]:
        try:
            asking = asyncio.gather(*(client.complete(r) for r in requests), return_exceptions=True)
            if until_batch_at is None:
                return await asking
            while not len(until_batch_at.batches):
                await asyncio.sleep(0.02)
            raise TimeoutError
        finally:
            await client.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_one_batch_fills_the_store(provider: str, tmp_path: Path) -> None:
    with StubServer(batch_s=0.1) as stub:
        requests = [request(stub, provider, i) for i in range(20)]
        answers = complete(open_batch(stub, provider, tmp_path), requests)
        again = complete(open_batch(stub, provider, tmp_path), requests)
        stats = stub.stats()
    assert [a.text.split("\n")[-1] for a in answers] == [f"第 {i} 问" for i in range(20)]
    assert all(a.cached for a in again)
    assert (stats["batches"], stats["paid"], stats["paid_twice"]) == (1, 20, 0)
    assert json.loads((tmp_path / "batches.json").read_text()) == {"batches": []}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_may_hold_marks_that_end_a_line_for_python_alone(provider: str, tmp_path: Path) -> None:
    text = "几点退房？\u2028早餐几点？\x85"
    with StubServer(batch_s=0.1) as stub:
        asked = ChatRequest(provider, url_of(stub, provider), "stub", (ChatMessage("user", text),), Parameters(max_tokens=50))
        (answer,) = complete(open_batch(stub, provider, tmp_path), [asked])
    assert text in answer.text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_run_that_ends_early_takes_its_batch_up_again(provider: str, tmp_path: Path) -> None:
    with StubServer(batch_s=2.0) as stub:
        requests = [request(stub, provider, i) for i in range(12)]
        with pytest.raises(TimeoutError):
            complete(open_batch(stub, provider, tmp_path), requests, until_batch_at=stub)
        assert len(json.loads((tmp_path / "batches.json").read_text())["batches"]) == 1
        # Fewer are asked for this time: the others of the batch are paid for as well, and stored.
        answers = complete(open_batch(stub, provider, tmp_path), requests[:5])
        more = complete(open_batch(stub, provider, tmp_path), requests)
        stats = stub.stats()
    assert all(isinstance(a, ChatResponse) for a in answers)
    assert all(a.cached for a in more)
    assert (stats["batches"], stats["paid"], stats["paid_twice"]) == (1, 12, 0)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_kill_right_after_creation_finds_the_batch_by_its_token(provider: str, tmp_path: Path) -> None:
    """The ledger says "about to create" and the provider has the batch: that is all a kill at the worst moment leaves."""
    with StubServer() as stub:
        requests = {r.key(): r for r in (request(stub, provider, i) for i in range(5))}
        vendor = OpenAIBatches if provider == "openai" else GeminiBatches
        api = vendor(url_of(stub, provider), "none", timeout_s=5, loopback=True)

        async def create_and_die() -> None:
            await api.create("0123456789abcdef", requests)
            await api.aclose()

        asyncio.run(create_and_die())
        entry = {"token": "0123456789abcdef", "id": "", "requests": [r.to_json() for r in requests.values()]}
        unknown = {"token": "never-created", "id": "", "requests": [request(stub, provider, 9).to_json()]}
        (tmp_path / "batches.json").write_text(json.dumps({"batches": [entry, unknown]}))
        answers = complete(open_batch(stub, provider, tmp_path), list(requests.values()))
        stats = stub.stats()
    assert all(isinstance(a, ChatResponse) for a in answers)
    assert (stats["batches"], stats["paid"]) == (1, 5)


def test_a_refused_line_fails_alone(tmp_path: Path) -> None:
    class OneRefused(OpenAIBatches):
        async def results(self, batch_id: str) -> Any:
            found = await super().results(batch_id)
            return found and [*found[:2], type(found[2])(found[2].key, None, "content policy"), *found[4:]]

    with StubServer() as stub:
        requests = [request(stub, "openai", i) for i in range(5)]
        store = ResponseStore(tmp_path / "r.sqlite")
        api = OneRefused(stub.base_url, "none", timeout_s=5, loopback=True)
        client = BatchClient(api, store=store, ledger=None, budget=Budget(None, FREE), first_poll_s=0.05)
        outcomes = complete(CachingClient(client, store), requests)
    assert [type(o) for o in outcomes] == [ChatResponse, ChatResponse, RequestFailed, RequestFailed, ChatResponse]
    assert "content policy" in str(outcomes[2])
    assert "came back without this request" in str(outcomes[3])


def test_a_batch_that_could_cross_the_budget_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("stub: {input: 1000.0, output: 1000.0}\n", encoding="utf-8")
    with StubServer() as stub:
        outcomes = complete(open_batch(stub, "openai", tmp_path, budget=0.1), [request(stub, "openai", i) for i in range(5)])
        assert stub.stats()["batches"] == 0
    assert {type(o) for o in outcomes} == {BudgetExhausted}


def test_what_lies_in_a_batch_is_not_sent_beside_it(tmp_path: Path) -> None:
    with StubServer(batch_s=2.0) as stub:
        requests = [request(stub, "openai", i) for i in range(3)]
        with pytest.raises(TimeoutError):
            complete(open_batch(stub, "openai", tmp_path), requests, until_batch_at=stub)
        spec = f"openai:stub@{stub.base_url}"
        with pytest.raises(UsageError, match="3 requests to openai:stub lie in a batch under way") as refused:
            open_client(spec, tmp_path / "r.sqlite", concurrency=1)
        assert str(tmp_path / "batches.json") in str(refused.value.hint)
        other = open_client(f"openai:other@{stub.base_url}", tmp_path / "r.sqlite", concurrency=1)
        asyncio.run(other.aclose())
        complete(open_batch(stub, "openai", tmp_path), requests)
        live = complete(open_client(spec, tmp_path / "r.sqlite", concurrency=1), requests)
    assert all(isinstance(answer, ChatResponse) and answer.cached for answer in live)
    assert (stub.stats()["paid"], stub.stats()["paid_twice"]) == (3, 0)


def test_a_set_without_a_batch_api_is_refused() -> None:
    require_batches(["local:gemma3-270m", "gemini:gemini-2.5-flash"])
    with pytest.raises(UsageError, match=r"nothing here goes through a batch API \(local:gemma3-270m\)"):
        require_batches(["local:gemma3-270m"])
    with pytest.raises(UsageError, match="no model is asked at all"):
        require_batches([])


def test_only_two_vendors_have_batches(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no batch API"):
        open_client("gemini-legacy:g@http://127.0.0.1:1", tmp_path / "r.sqlite", concurrency=1, batch=True)
