"""Long runs in little time, over real HTTP on loopback: rate limits kept, storms left behind, quotas and dead servers told at once."""

import asyncio
import time
from pathlib import Path

import pytest

from datagen.clients import CachingClient, ChatMessage, ChatRequest, ChatResponse, Limits, Parameters, RetryPolicy, open_client, rates
from datagen.clients.base import RetryingClient
from datagen.errors import ProviderError
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_limits import ServerLimits
from datagen.testing.stub_server import StubServer

QUICK = RetryPolicy(max_failures=3, first_wait_s=0.01, longest_wait_s=0.05)
MINUTE_S = 2.0
"""What a minute is in these tests."""


def request(url: str, i: int) -> ChatRequest:
    messages = (ChatMessage("system", "你是酒店客服。"), ChatMessage("user", f"第 {i:03d} 位客人问：早餐几点开始？"))
    return ChatRequest("openai", url, "stub", messages, Parameters(max_tokens=64))


def open_stub(url: str, store: Path | None = None, *, concurrency: int = 32, limits: Limits | None = None) -> CachingClient:
    return open_client(f"openai:stub@{url}", store, concurrency=concurrency, timeout_s=5, retry=QUICK, limits=limits or Limits())


def complete(client: CachingClient, url: str, numbers: range) -> list[ChatResponse | BaseException]:
    async def run() -> list[ChatResponse | BaseException]:
        return await asyncio.gather(*(client.complete(request(url, i)) for i in numbers), return_exceptions=True)

    return asyncio.run(run())


def busiest_minute(arrived_s: list[float]) -> int:
    return max(sum(start <= at < start + MINUTE_S for at in arrived_s) for start in arrived_s)


@pytest.mark.parametrize("unit", ["requests", "tokens"])
def test_no_minute_of_the_steady_state_is_above_the_limit(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "PERIOD_S", MINUTE_S)
    cost = 60 if unit == "tokens" else 1
    limits = Limits(tpm=60 * cost) if unit == "tokens" else Limits(rpm=60)
    with StubServer(latency_ms=5) as stub:
        client = open_stub(stub.base_url, limits=limits)
        answers = complete(client, stub.base_url, range(62 if unit == "requests" else 26))
        asyncio.run(client.aclose())
    assert {type(a) for a in answers} == {ChatResponse}
    stats = stub.stats()
    each = (stats["paid_tokens_in"] + stats["paid_tokens_out"]) / stats["paid"] if unit == "tokens" else 1
    # The bucket starts full, so that the first burst is no steady state.
    first = sum(at < stub.arrived_s[0] + 0.1 for at in stub.arrived_s)
    steady = stub.arrived_s[first:]
    assert steady[-1] - steady[0] > 0.5
    assert 0 < busiest_minute(steady) * each <= 60 * cost


@pytest.mark.parametrize("known", [True, False])
def test_the_servers_limit_is_kept_also_when_only_its_headers_tell(known: bool) -> None:
    server = ServerLimits(rpm=3000, tpm=600_000)
    with StubServer(latency_ms=2, limits=server) as stub:
        client = open_stub(stub.base_url, concurrency=16, limits=Limits(rpm=3000, tpm=600_000) if known else None)
        began_s = time.monotonic()
        answers = complete(client, stub.base_url, range(125))
        seconds = time.monotonic() - began_s
        asyncio.run(client.aclose())
    assert {type(a) for a in answers} == {ChatResponse}
    assert stub.stats()["by_status"] == {"200": 125}
    # 50 a second, a second's worth at once, and what was on the wire before a header came.
    assert seconds > 1.0


def test_a_storm_of_429_is_left_behind_in_seconds() -> None:
    with StubServer(latency_ms=20, faults=Faults(storm=(1000, 0.4), retry_after_s=0.05)) as stub:
        client = open_stub(stub.base_url, concurrency=64)
        inner = client._inner
        assert isinstance(inner, RetryingClient)
        began_s = time.monotonic()
        complete(client, stub.base_url, range(64))
        lowest = inner.limiter.limit
        recovered_s = 0.0
        number = 64
        while inner.limiter.limit < 48 and time.monotonic() - began_s < 10:
            complete(client, stub.base_url, range(number, number + 64))
            number += 64
            recovered_s = time.monotonic() - began_s
        asyncio.run(client.aclose())
    assert lowest < 48
    assert inner.limiter.limit >= 48
    assert recovered_s < 5
    assert stub.stats()["paid_twice"] == 0


def test_a_daily_quota_ends_the_run_at_once_and_keeps_what_came(tmp_path: Path) -> None:
    quota = {"status": 429, "error": {"message": "Rate limit reached on requests per day (RPD): Limit 200, Used 200."}}
    with StubServer(script=[{"content": "7:00。"}, {"content": "7:30。"}, *[quota] * 100]) as stub:
        client = open_stub(stub.base_url, tmp_path / "r.sqlite", concurrency=1)
        began_s = time.monotonic()
        outcomes = complete(client, stub.base_url, range(40))
        seconds = time.monotonic() - began_s
        kept = client.store.stats().responses
        asyncio.run(client.aclose())
    refused = [o for o in outcomes if not isinstance(o, ChatResponse)]
    assert (len(refused), kept, stub.stats()["requests"]) == (38, 2, 3)
    assert len({str(o) for o in refused}) == 1
    assert isinstance(refused[0], ProviderError)
    assert "go on tomorrow" in refused[0].hint
    assert seconds < 2


def test_a_server_that_dies_is_one_error_and_everything_is_kept(tmp_path: Path) -> None:
    with StubServer() as stub:
        client = open_stub(stub.base_url, tmp_path / "r.sqlite")
        complete(client, stub.base_url, range(10))
    began_s = time.monotonic()
    outcomes = complete(client, stub.base_url, range(40))
    seconds = time.monotonic() - began_s
    kept = client.store.stats().responses
    asyncio.run(client.aclose())
    assert [isinstance(o, ChatResponse) and o.cached for o in outcomes] == [True] * 10 + [False] * 30
    assert {type(o) for o in outcomes[10:]} == {ProviderError}
    assert all(f"{stub.base_url} (model stub) does not answer (" in str(o) for o in outcomes[10:])
    assert kept == 10
    assert seconds < 2
