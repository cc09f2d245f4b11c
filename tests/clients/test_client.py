"""The whole client over real HTTP on loopback, against the stub server."""

import asyncio
import random
import socket
from pathlib import Path

import pytest

from datagen.clients import CachingClient, ChatMessage, ChatRequest, ChatResponse, RequestFailed, RetryPolicy, open_client
from datagen.clients.base import RetryingClient
from datagen.errors import ProviderError, UsageError
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_server import StubServer

QUICK = RetryPolicy(max_failures=3, first_wait_s=0.01, longest_wait_s=0.05)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def request(stub: StubServer | str, text: str = "早餐几点开始？", *, schema: bool = False) -> ChatRequest:
    url = stub if isinstance(stub, str) else stub.base_url
    messages = (ChatMessage("system", "你是酒店客服。"), ChatMessage("user", text))
    return ChatRequest("openai", url, "stub", messages, schema=SCHEMA if schema else None, schema_name="a")


def open_stub(stub: StubServer | str, store: Path | None = None, *, concurrency: int = 4, timeout_s: float = 5) -> CachingClient:
    url = stub if isinstance(stub, str) else stub.base_url
    return open_client(f"openai:stub@{url}", store, concurrency=concurrency, timeout_s=timeout_s, retry=QUICK, rng=random.Random(0))


def complete(client: CachingClient, *requests: ChatRequest) -> list[ChatResponse]:
    async def run() -> list[ChatResponse]:
        return list(await asyncio.gather(*(client.complete(r) for r in requests)))

    return asyncio.run(run())


def close(client: CachingClient) -> None:
    asyncio.run(client.aclose())


def test_a_response_is_paid_once_whoever_asks(tmp_path: Path) -> None:
    with StubServer(latency_ms=5) as stub:
        client = open_stub(stub, tmp_path / "r.sqlite")
        first = complete(client, *[request(stub)] * 5)
        second = complete(client, request(stub))
        close(client)
        reopened = open_stub(stub, tmp_path / "r.sqlite")
        third = complete(reopened, request(stub))
        close(reopened)
    assert {r.text for r in (*first, *second, *third)} == {"echo: 你是酒店客服。\n早餐几点开始？"}
    assert [r.cached for r in (*second, *third)] == [True, True]
    assert stub.stats()["paid"] == 1
    assert (client.usage.requests, client.usage.cached) == (6, 5)


def test_concurrency_is_used_and_bounded() -> None:
    with StubServer(latency_ms=20) as stub:
        client = open_stub(stub, concurrency=6)
        complete(client, *(request(stub, f"第 {i} 问") for i in range(30)))
        close(client)
    assert stub.stats()["most_in_flight"] == 6


def test_a_storm_of_429_and_500_passes_with_nothing_lost_or_paid_twice() -> None:
    with StubServer(faults=Faults({"429": 0.5, "500": 0.1}, seed=3, retry_after_s=0.01)) as stub:
        client = open_stub(stub, concurrency=16)
        answers = complete(client, *(request(stub, f"第 {i} 问") for i in range(60)))
        close(client)
    stats = stub.stats()
    assert [a.text[-5:].strip() for a in answers] == [f"第 {i} 问"[-5:].strip() for i in range(60)]
    assert (stats["paid"], stats["paid_twice"]) == (60, 0)
    assert stats["by_status"]["429"] > 20


def test_structured_output_steps_down_once_and_remembers() -> None:
    with StubServer(faults=Faults({"refuse_json_schema": 1})) as stub:
        client = open_stub(stub, concurrency=1)
        complete(client, *(request(stub, f"第 {i} 问", schema=True) for i in range(5)))
        close(client)
    assert stub.stats()["by_status"] == {"200": 5, "400": 1}
    forms = [body.get("response_format", {}).get("type") for body in stub.prompts]
    assert forms == ["json_schema", *["json_object"] * 5]


def test_a_400_of_the_request_itself_gives_no_form_up_and_fails_alone() -> None:
    refuse = {"status": 400, "error": {"message": "content management policy"}}
    with StubServer(script=[refuse, refuse, refuse]) as stub:
        client = open_stub(stub, concurrency=1)
        with pytest.raises(RequestFailed, match="content management policy"):
            complete(client, request(stub, schema=True))
        complete(client, request(stub, "另一问", schema=True))
        close(client)
    assert stub.prompts[-1]["response_format"]["type"] == "json_schema"


def test_an_endpoint_that_refuses_everything_is_an_error_of_its_own() -> None:
    with StubServer(script=[{"status": 400, "error": {"message": "unknown parameter"}}] * 50) as stub:
        client = open_stub(stub, concurrency=1)
        for i in range(4):
            with pytest.raises(RequestFailed):
                complete(client, request(stub, f"第 {i} 问"))
        with pytest.raises(ProviderError, match="unknown parameter") as caught:
            complete(client, request(stub, "第五问"))
        assert not isinstance(caught.value, RequestFailed)
        before = len(stub.prompts)
        with pytest.raises(ProviderError, match="unknown parameter"):
            complete(client, request(stub, "第六问"))
        assert len(stub.prompts) == before
        close(client)


def test_quota_fails_fast() -> None:
    with StubServer(faults=Faults({"quota": 1})) as stub:
        client = open_stub(stub)
        with pytest.raises(ProviderError, match="exceeded your current quota") as caught:
            complete(client, request(stub))
        close(client)
    assert "add credit" in caught.value.hint
    assert stub.stats()["requests"] == 1


def test_a_wait_of_hours_fails_fast() -> None:
    with StubServer(faults=Faults({"429": 1}, retry_after_s=7200)) as stub:
        client = open_stub(stub)
        with pytest.raises(ProviderError, match="answered 429"):
            complete(client, request(stub))
        close(client)
    assert stub.stats()["requests"] == 1


def test_a_hung_socket_times_out() -> None:
    with StubServer(faults=Faults({"hang": 1})) as stub:
        client = open_stub(stub, timeout_s=0.1)
        with pytest.raises(ProviderError, match=r"no answer within 0\.1 s \(tried 3 times\)"):
            complete(client, request(stub))
        close(client)


def test_a_dead_server_is_one_clear_error() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        client = open_stub(url, concurrency=8)

        async def run() -> list[ChatResponse | BaseException]:
            return await asyncio.gather(*(client.complete(request(url, f"{i}")) for i in range(40)), return_exceptions=True)

        outcomes = asyncio.run(run())
        close(client)
    assert {type(o) for o in outcomes} == {ProviderError}
    assert all(f"{url} (model stub) does not answer (" in str(o) for o in outcomes)


def test_the_key_is_sent_and_shows_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-proj-4f9a77c0de"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    store = tmp_path / "r.sqlite"
    with StubServer(api_key=key) as stub:
        client = open_stub(stub, store)
        complete(client, request(stub))
        close(client)
    assert stub.stats()["paid"] == 1
    with StubServer(api_key="sk-another") as stub:
        client = open_stub(stub, store)
        with pytest.raises(ProviderError, match="answered 401") as caught:
            complete(client, request(stub))
        shown = [str(caught.value), repr(caught.value), repr(client), repr(vars(client)), str(caught.value.__cause__)]
        close(client)
    assert not [text for text in shown if key in text]
    assert not [path for path in tmp_path.iterdir() if key.encode() in path.read_bytes()]


def test_no_key_is_an_error_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match=r"no API key for https://llm\.example/v1"):
        open_client("openai:m@https://llm.example/v1", None, concurrency=1)
    monkeypatch.setenv("OPENAI_API_KEY", "密钥")
    with pytest.raises(UsageError, match="characters no key has"):
        open_client("openai:m@https://llm.example/v1", None, concurrency=1)


def test_replay_answers_from_the_store_only(tmp_path: Path) -> None:
    store = tmp_path / "r.sqlite"
    with pytest.raises(UsageError, match="no response store"):
        open_client("replay:openai:stub@http://127.0.0.1:1/v1", store, concurrency=1)
    with StubServer() as stub:
        client = open_stub(stub, store)
        complete(client, request(stub))
        close(client)
    replay = open_client(f"replay:openai:stub@{stub.base_url}", store, concurrency=1)
    assert complete(replay, request(stub))[0].cached
    with pytest.raises(ProviderError, match="no stored response for request"):
        complete(replay, request(stub, "没有问过"))
    close(replay)


def test_one_client_serves_several_event_loops() -> None:
    with StubServer() as stub:
        client = open_stub(stub, concurrency=2)
        texts = [complete(client, *(request(stub, f"{loop}-{i}") for i in range(6)))[0].text for loop in range(3)]
        close(client)
    assert [text[-3:] for text in texts] == ["0-0", "1-0", "2-0"]


def test_what_is_on_the_wire_is_finished_and_stored_when_the_caller_is_gone(tmp_path: Path) -> None:
    with StubServer(latency_ms=100) as stub:
        client = open_stub(stub, tmp_path / "r.sqlite", concurrency=3)

        async def run() -> None:
            asking = [asyncio.create_task(client.complete(request(stub, f"第 {i} 问"))) for i in range(8)]
            await asyncio.sleep(0.05)
            for task in asking:
                task.cancel()
            await client.drain()

        asyncio.run(run())
        assert client.store.stats().responses == 3
        assert (stub.stats()["requests"], stub.stats()["paid"]) == (3, 3)
        assert [r.cached for r in complete(client, *(request(stub, f"第 {i} 问") for i in range(4)))] == [True, True, True, False]
        close(client)


def test_a_storm_of_nothing_but_429_is_waited_out() -> None:
    with StubServer(latency_ms=5, faults=Faults(storm=(1000, 0.5))) as stub:
        client = open_stub(stub, concurrency=64)
        inner = client._inner
        assert isinstance(inner, RetryingClient)
        complete(client, *(request(stub, f"第 {i} 问") for i in range(300)))
        close(client)
    stats = stub.stats()
    assert stats["by_status"]["429"] >= 64
    assert (stats["paid"], stats["paid_twice"]) == (300, 0)
    assert inner.limiter.limit < 64
