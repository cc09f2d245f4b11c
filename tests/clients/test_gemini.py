"""Gemini: the pure pair, and the whole client over HTTP against the stub."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from datagen.clients import CachingClient, ChatMessage, ChatRequest, Parameters, RequestFailed, RetryPolicy, open_client
from datagen.clients.gemini import build_request, explain_error, parse_response
from datagen.clients.types import ExchangeFailed
from datagen.errors import ProviderError
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_server import StubServer

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def request(url: str, text: str = "押金多少？", *, schema: bool = False) -> ChatRequest:
    messages = (ChatMessage("system", "你是酒店客服。"), ChatMessage("user", text))
    return ChatRequest("gemini", url, "stub", messages, Parameters(0.5, 64, 7), SCHEMA if schema else None, "a")


def open_stub(stub: StubServer, store: Path | None = None, *, timeout_s: float = 5) -> CachingClient:
    retry = RetryPolicy(max_failures=3, first_wait_s=0.01, longest_wait_s=0.05)
    return open_client(f"gemini:stub@{stub.gemini_url}", store, concurrency=8, timeout_s=timeout_s, retry=retry)


def complete(client: CachingClient, *requests: ChatRequest) -> list[Any]:
    async def run() -> list[Any]:
        try:
            return await asyncio.gather(*(client.complete(r) for r in requests), return_exceptions=True)
        finally:
            await client.aclose()

    return asyncio.run(run())


def test_builds_what_the_sdk_takes() -> None:
    again = ChatRequest("gemini", "u", "g", (*request("u").messages, ChatMessage("assistant", "300 元"), ChatMessage("user", "？")))
    assert build_request(again) == {
        "model": "g",
        "contents": [
            {"role": "user", "parts": [{"text": "押金多少？"}]},
            {"role": "model", "parts": [{"text": "300 元"}]},
            {"role": "user", "parts": [{"text": "？"}]},
        ],
        "config": {"system_instruction": "你是酒店客服。"},
    }
    assert build_request(request("u", schema=True))["config"] == {
        "system_instruction": "你是酒店客服。",
        "temperature": 0.5,
        "max_output_tokens": 64,
        "seed": 7,
        "response_mime_type": "application/json",
        "response_json_schema": SCHEMA,
    }


def test_reads_text_without_thoughts_and_bills_them() -> None:
    parts = [{"text": "let me see", "thought": True}, {"text": "300 "}, {"text": "元"}]
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 20}
    payload = {"candidates": [{"content": {"parts": parts}, "finishReason": "MAX_TOKENS"}], "usageMetadata": usage, "modelVersion": "g-001"}
    answer = parse_response(payload, request("u"))
    assert (answer.text, answer.finish_reason, answer.tokens_in, answer.tokens_out, answer.model) == ("300 元", "length", 9, 24, "g-001")
    assert parse_response({"candidates": [{"finishReason": "SAFETY"}]}, request("u")).finish_reason == "safety"
    with pytest.raises(ExchangeFailed, match="blocked the prompt") as caught:
        parse_response({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, request("u"))
    assert caught.value.kind == "rejected"


def test_errors_by_kind() -> None:
    def explain(status: int, message: str, *details: dict[str, Any]) -> ExchangeFailed:
        return explain_error(status, {"error": {"message": message, "details": list(details)}}, request("u"), "AIza-secret")

    wait = explain(429, "Resource exhausted", {"retryDelay": "34.5s"})
    daily = explain(429, "quota", {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]}, {"retryDelay": "34s"})
    found = [wait, daily, explain(503, "overloaded"), explain(400, "bad schema"), explain(400, "API key not valid AIza-secret")]
    assert [e.kind for e in found] == ["throttled", "fatal", "unavailable", "rejected", "fatal"]
    assert wait.retry_after_s == 34.5
    assert "AIza-secret" not in str(found[-1])


def test_the_whole_client_over_http(tmp_path: Path) -> None:
    with StubServer(faults=Faults({"429": 0.4, "503": 0.1}, seed=1, retry_after_s=0.01), api_key="none") as stub:
        requests = [request(stub.gemini_url, f"第 {i} 问", schema=i % 2 == 0) for i in range(30)]
        answers = complete(open_stub(stub, tmp_path / "r.sqlite"), *requests)
        again = complete(open_stub(stub, tmp_path / "r.sqlite"), *requests)
    stats = stub.stats()
    assert [a.text.split("\n")[-1] for a in answers] == [f"第 {i} 问" for i in range(30)]
    assert all(a.cached for a in again)
    assert (stats["paid"], stats["paid_twice"]) == (30, 0)
    assert stats["by_status"]["429"] > 5
    assert stub.prompts[0]["messages"][0] == {"role": "system", "content": "你是酒店客服。"}
    assert sum(a.tokens_in for a in answers) == stats["paid_tokens_in"]


@pytest.mark.parametrize(
    ("faults", "words", "requests"),
    [("quota", "exceeded your current quota", 1), ("hang", r"no answer within 0\.3 s", 3), ("503", "overloaded", 3)],
)
def test_what_ends_a_run(faults: str, words: str, requests: int) -> None:
    with StubServer(faults=Faults({faults: 1})) as stub:
        outcome = complete(open_stub(stub, timeout_s=0.3), request(stub.gemini_url))[0]
    assert isinstance(outcome, ProviderError)
    assert not isinstance(outcome, RequestFailed)
    with pytest.raises(ProviderError, match=words):
        raise outcome
    assert stub.stats()["requests"] == requests


def test_a_connection_error_is_not_repeated_behind_our_back() -> None:
    stub = StubServer().start()
    url = stub.gemini_url
    stub.stop()
    client = open_client(f"gemini:stub@{url}", None, concurrency=1, retry=RetryPolicy(max_failures=1))
    outcome = complete(client, request(url))[0]
    assert isinstance(outcome, ProviderError)
    assert "does not answer" in str(outcome)
