"""The cap on money, with many requests in flight over real HTTP."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from datagen.clients import Account, BudgetExhausted, ChatMessage, ChatRequest, ChatResponse, Limits, Parameters, RetryPolicy, open_client
from datagen.clients.budget import Budget
from datagen.clients.prices import BUILT_IN, Price, PriceTable, load_prices
from datagen.errors import UsageError
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_server import StubServer

PRICE = "stub: {input: 1000.0, output: 4000.0}\n"


def request(url: str, text: str) -> ChatRequest:
    messages = (ChatMessage("system", "你是酒店客服。"), ChatMessage("user", text))
    return ChatRequest("openai", url, "stub", messages, Parameters(max_tokens=40))


def run(url: str, workspace: Path, budget: float, numbers: range, timeout_s: float = 5) -> tuple[list[ChatResponse | BaseException], float]:
    limits = Limits(budget=budget)
    client = open_client(
        f"openai:stub@{url}", workspace / "r.sqlite", concurrency=256, limits=limits, workspace=workspace, timeout_s=timeout_s
    )

    async def work() -> list[ChatResponse | BaseException]:
        try:
            return await asyncio.gather(*(client.complete(request(url, f"第 {i} 个问题")) for i in numbers), return_exceptions=True)
        finally:
            await client.aclose()

    return asyncio.run(work()), client.budget.spent


def cost(stub: StubServer) -> float:
    stats = stub.stats()
    return stats["paid_tokens_in"] / 1000 + stats["paid_tokens_out"] * 4 / 1000


def test_a_budget_of_one_is_not_crossed_with_256_in_flight(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(PRICE)
    with StubServer(latency_ms=20, faults=Faults({"429": 0.2, "500": 0.1}, retry_after_s=0.01)) as stub:
        outcomes, spent = run(stub.base_url, tmp_path, 1.00, range(600))
        assert cost(stub) == pytest.approx(spent)
        assert 0.75 < cost(stub) <= 1.00
        done = [o for o in outcomes if isinstance(o, ChatResponse)]
        assert {type(o) for o in outcomes} == {ChatResponse, BudgetExhausted}
        assert len(done) == stub.stats()["paid"]
        # The cap holds for the workspace: a second run buys nothing, a larger budget goes on.
        outcomes, _ = run(stub.base_url, tmp_path, 1.00, range(600))
        assert sum(isinstance(o, ChatResponse) for o in outcomes) == len(done)
        assert cost(stub) <= 1.00
        outcomes, spent = run(stub.base_url, tmp_path, 1.50, range(600))
        assert cost(stub) == pytest.approx(spent)
        assert 1.25 < cost(stub) <= 1.50


def test_an_exchange_without_an_answer_counts_as_spent() -> None:
    budget = Budget(10.0, Price(input=1, output=1))
    with StubServer(faults=Faults({"hang": 1})) as stub:
        client = open_client(f"openai:stub@{stub.base_url}", None, concurrency=1, timeout_s=0.1, retry=RetryPolicy(first_wait_s=0.01))
        client._inner.budget = budget  # type: ignore[attr-defined]

        async def work() -> None:
            with pytest.raises(Exception, match="no answer within"):
                await client.complete(request(stub.base_url, "押金多少？"))
            await client.aclose()

        asyncio.run(work())
    assert budget.spent > 5 * 40 / 1e6
    assert budget.reserved == 0


def test_prices_by_name_prefix_and_workspace(tmp_path: Path) -> None:
    table = PriceTable({"qwen*": Price(input=1, output=1), "qwen3-*": Price(input=2, output=2), "qwen3-4b": Price(input=3, output=3)})
    found = [table.of(name) for name in ("qwen3-4b", "qwen3-8b", "qwen2", "llama")]
    assert [p.input if p else None for p in found] == [3, 2, 1, None]
    assert load_prices(tmp_path).prices == BUILT_IN
    (tmp_path / "prices.yaml").write_text("gpt-4.1-mini: {input: 9, output: 10}\n", encoding="utf-8")
    assert load_prices(tmp_path).of("gpt-4.1-mini") == Price(input=9, output=10)
    assert Price(input=2, output=8).times(0.5).cost(1e6, 1e6) == 5
    for text in ("gpt: {input: -1, output: 1}", "- 1", "gpt: {inputs: 1, output: 1}", "a: [", "gpt: 3"):
        (tmp_path / "prices.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=r"prices\.yaml: not a price table"):
            load_prices(tmp_path)


def test_a_budget_needs_a_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    with pytest.raises(UsageError, match=r"no price is known for the model 'm'") as caught:
        open_client("openai:m@https://llm.example/v1", None, concurrency=1, limits=Limits(budget=1), workspace=tmp_path)
    assert "prices.yaml" in caught.value.hint


def test_models_that_share_an_account_share_the_cap(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("stub: {input: 1000.0, output: 4000.0}\ndear: {input: 2000.0, output: 8000.0}\n")
    account = Account(1.00)

    async def work(stub: StubServer) -> list[ChatResponse | BaseException]:
        clients = {
            name: open_client(f"openai:{name}@{stub.base_url}", tmp_path / "r.sqlite", concurrency=64, account=account, workspace=tmp_path)
            for name in ("stub", "dear")
        }
        requests = [(name, replace(request(stub.base_url, f"第 {i} 个问题"), model=name)) for i in range(200) for name in clients]
        try:
            return await asyncio.gather(*(clients[name].complete(r) for name, r in requests), return_exceptions=True)
        finally:
            for client in clients.values():
                await client.aclose()

    with StubServer(latency_ms=10) as stub:
        outcomes = asyncio.run(work(stub))
    assert {type(o) for o in outcomes} == {ChatResponse, BudgetExhausted}
    assert {o.model for o in outcomes if isinstance(o, ChatResponse)} == {"stub", "dear"}
    paid = sum((o.tokens_in + 4 * o.tokens_out) / 1000 * (2 if o.model == "dear" else 1) for o in outcomes if isinstance(o, ChatResponse))
    assert paid == pytest.approx(account.spent)
    assert 0.75 < paid <= 1.00
