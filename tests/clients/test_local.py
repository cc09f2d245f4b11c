"""``local:`` with the tiny random model: whatever it says is valid by schema; batches, store, errors."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from datagen.clients import CachingClient, ChatMessage, ChatRequest, ChatResponse, Parameters, RequestFailed, open_client, parse_spec
from datagen.errors import UsageError
from datagen.testing.tiny_model import build_tiny_model

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"question": {"type": "string", "maxLength": 16}, "stars": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["question", "stars"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("tiny"))


def request(folder: Path, text: str, *, schema: bool = True, max_tokens: int = 96) -> ChatRequest:
    messages = (ChatMessage("system", "你是酒店客服。"), ChatMessage("user", text))
    spec = parse_spec(f"local:{folder}")
    return ChatRequest("local", spec.base_url, spec.model, messages, Parameters(0.7, max_tokens), SCHEMA if schema else None, "a")


def complete(client: CachingClient, *requests: ChatRequest) -> list[Any]:
    async def run() -> list[Any]:
        try:
            return await asyncio.gather(*(client.complete(r) for r in requests), return_exceptions=True)
        finally:
            await client.aclose()

    return asyncio.run(run())


def test_a_batch_is_valid_by_schema_and_stored(folder: Path, tmp_path: Path) -> None:
    requests = [request(folder, f"第 {i} 问：早餐几点开始？") for i in range(6)] + [request(folder, "随便说说", schema=False)]
    spec = f"local:{folder}"
    answers = complete(open_client(spec, tmp_path / "r.sqlite", concurrency=4), *requests)
    again = complete(open_client(spec, tmp_path / "r.sqlite", concurrency=4), *requests)
    values = [json.loads(a.text) for a in answers[:6]]
    assert all(set(v) == {"question", "stars"} and 1 <= v["stars"] <= 5 and len(v["question"]) <= 16 for v in values)
    assert all(a.finish_reason == "stop" and a.tokens_in > 10 and a.tokens_out > 5 for a in answers[:6])
    assert len({a.text for a in answers}) > 1
    assert [a.cached for a in again] == [True] * 7


def test_a_prompt_beyond_the_window_fails_alone(folder: Path) -> None:
    short, long = request(folder, "早餐？"), request(folder, "早餐供应时间为7:00至10:30。" * 300)
    answers = complete(open_client(f"local:{folder}", None, concurrency=4), short, long)
    assert isinstance(answers[0], ChatResponse)
    assert isinstance(answers[1], RequestFailed)
    assert "local model" in str(answers[1])


def test_an_answer_without_room_is_cut_off_by_length(folder: Path) -> None:
    answer = complete(open_client(f"local:{folder}", None, concurrency=1), request(folder, "早餐？", max_tokens=5))[0]
    assert (answer.finish_reason, answer.tokens_out) == ("length", 5)


def test_the_key_follows_the_weights(folder: Path, tmp_path: Path) -> None:
    other = build_tiny_model(tmp_path / "other", seed=1)
    assert parse_spec(f"local:{folder}").base_url != parse_spec(f"local:{other}").base_url
    assert parse_spec(f"local:{folder}").base_url.startswith("sha256:")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no config\.json"):
        open_client(f"local:{tmp_path}", None, concurrency=1)
