"""The pure pair around the SDK: what is sent, what is read, what an error means. No network."""

import json

import pytest

from datagen.clients.openai_compatible import build_request, explain_status, parse_response, retry_after_s
from datagen.clients.types import ChatMessage, ChatRequest, ExchangeFailed, Parameters

SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
REQUEST = ChatRequest(
    "openai",
    "http://127.0.0.1:1/v1",
    "qwen3-4b",
    (ChatMessage("system", "你是客服。"), ChatMessage("user", "押金多少？")),
    Parameters(temperature=0.0, max_tokens=64),
    SCHEMA,
    "answer",
)


def test_builds_each_form_of_structured_output() -> None:
    body = build_request(REQUEST, "json_schema")
    assert body == {
        "model": "qwen3-4b",
        "messages": [{"role": "system", "content": "你是客服。"}, {"role": "user", "content": "押金多少？"}],
        "temperature": 0.0,
        "max_tokens": 64,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}},
    }
    assert build_request(REQUEST, "json_object")["response_format"] == {"type": "json_object"}
    assert "response_format" not in build_request(REQUEST, "prompt")


def test_openai_itself_gets_the_current_name_of_the_limit() -> None:
    body = build_request(ChatRequest("openai", "https://api.openai.com/v1", "m", (), Parameters(max_tokens=64)), "prompt")
    assert body == {"model": "m", "messages": [], "max_completion_tokens": 64}


def test_reads_text_reason_and_usage() -> None:
    text = json.dumps(
        {
            "model": "qwen3-4b-awq",
            "choices": [{"message": {"role": "assistant", "content": "押金 300 元。"}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 17, "completion_tokens": 6},
        }
    )
    answer = parse_response(text, REQUEST)
    assert (answer.text, answer.finish_reason, answer.tokens_in, answer.tokens_out) == ("押金 300 元。", "length", 17, 6)
    assert answer.model == "qwen3-4b-awq"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_told_apart_stands_before_the_answer(name: str) -> None:
    message = {"role": "assistant", "content": "押金 300 元。", name: "材料写明了押金。"}
    answer = parse_response(json.dumps({"choices": [{"message": message}]}), REQUEST)
    assert answer.text == "<think>\n材料写明了押金。\n</think>\n\n押金 300 元。"
    assert parse_response(json.dumps({"choices": [{"message": {**message, name: None}}]}), REQUEST).text == "押金 300 元。"


def test_a_server_without_usage_gets_estimates_and_a_refusal_is_empty_text() -> None:
    answer = parse_response('{"choices": [{"message": {"content": null, "refusal": "no"}}]}', REQUEST)
    assert (answer.text, answer.finish_reason, answer.tokens_out) == ("", "stop", 0)
    assert answer.tokens_in > 0


@pytest.mark.parametrize(
    "text", ["<html>502</html>", "{}", '{"choices": []}', "null", '{"choices": [{"message": null}]}', '{"choices": [{"mess']
)
def test_anything_else_is_worth_another_try(text: str) -> None:
    with pytest.raises(ExchangeFailed, match="not a chat completion") as caught:
        parse_response(text, REQUEST)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"message": "context too long"}}, "rejected"),
        (401, {"message": "Incorrect API key provided: sk-secret-123"}, "fatal"),
        (403, None, "fatal"),
        (404, "no such model", "fatal"),
        (408, None, "unavailable"),
        (409, None, "unavailable"),
        (422, {"detail": "x"}, "rejected"),
        (429, {"message": "slow down"}, "throttled"),
        (429, {"message": "no credit", "code": "insufficient_quota"}, "fatal"),
        (500, "<html>", "unavailable"),
        (529, None, "unavailable"),
    ],
)
def test_what_a_status_means(status: int, body: object, kind: str) -> None:
    failure = explain_status(status, body, {}, REQUEST, "sk-secret-123")
    assert failure.kind == kind
    assert failure.retryable == (kind in ("throttled", "unavailable"))
    assert "sk-secret-123" not in str(failure)
    assert "qwen3-4b" in failure.message
    assert str(status) in failure.message


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 90.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers, now_s=10.0) == wait_s
