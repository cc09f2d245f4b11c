"""From a model's text to a validated object."""

import asyncio
import json

import pytest
from pydantic import BaseModel

from datagen.clients.types import ChatMessage, ChatRequest, ChatResponse
from datagen.generate.strategies.qa import QAItem, QAItems
from datagen.generate.structured import Defect, ask, extract_json, parse, strict_schema

ITEM = {"evidence": "押金 300 元。", "question": "押金多少？", "answer": "300 元。", "question_type": "factual"}
GOOD = json.dumps({"items": [ITEM, ITEM]}, ensure_ascii=False)
REQUEST = ChatRequest("openai", "http://127.0.0.1:1/v1", "stub", (ChatMessage("user", "写 2 条"),))


class Scripted:
    """Gives the next text, with its finish reason, and keeps the requests."""

    def __init__(self, *answers: tuple[str, str]) -> None:
        self.answers = list(answers)
        self.requests: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> ChatResponse:
        self.requests.append(request)
        text, finish = self.answers.pop(0)
        return ChatResponse(text, finish, 10, 5, "stub")

    async def aclose(self) -> None:
        return None


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"<think>先看 {{片段}} [1]。</think>\n{GOOD}",
        f"先想一想 {{…}}\n</think>\n\n{GOOD}",
        f"```json\n{GOOD}\n```",
        f"好的，结果如下：\n```\n{GOOD}\n```\n希望有帮助！",
        f"Here is the JSON: {GOOD} Anything else?",
        json.dumps([ITEM, ITEM]),
        GOOD.replace("}]}", "},]}"),
        "\ufeff" + GOOD,
    ],
    ids=["plain", "think", "think-unopened", "fence", "fence-and-words", "words", "bare-list", "trailing-comma", "bom"],
)
def test_reads_what_models_wrap_json_in(text: str) -> None:
    assert parse(text, QAItems) == QAItems(items=(QAItem.model_validate(ITEM),) * 2)


def test_a_tag_inside_a_string_is_text() -> None:
    item = {**ITEM, "answer": "输出 </think> 之后的内容。"}
    found = parse(json.dumps({"items": [item]}), QAItems)
    assert isinstance(found, QAItems)
    assert found.items[0].answer == "输出 </think> 之后的内容。"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unparseable"),
        ("抱歉，我无法完成这个请求。", "unparseable"),
        ("<think>想了很久", "unparseable"),
        (GOOD[: len(GOOD) * 2 // 3], "unparseable"),
        ('{"items": [{"evidence": "x"}]}', "schema_mismatch"),
        (GOOD.replace("factual", "fact"), "schema_mismatch"),
        ('{"answer": 1}', "schema_mismatch"),
        ("[" * 100_000, "unparseable"),
    ],
)
def test_says_what_is_wrong(text: str, reason: str) -> None:
    found = parse(text, QAItems)
    assert isinstance(found, Defect)
    assert found.reason == reason


def test_torn_json_is_salvaged_only_on_request_and_never_with_half_an_item() -> None:
    torn = GOOD[: GOOD.rindex("300 元")]
    assert isinstance(parse(torn, QAItems, salvage=True), Defect)
    whole_items = GOOD[: GOOD.rindex("]}")]
    found = parse(whole_items, QAItems, salvage=True)
    assert isinstance(found, QAItems)
    assert len(found.items) == 2


def test_asks_again_once_with_the_error() -> None:
    client = Scripted((GOOD.replace("factual", "fact"), "stop"), (GOOD, "stop"))
    answer = asyncio.run(ask(client, REQUEST, QAItems))
    assert answer.value is not None
    assert len(answer.responses) == 2
    first, second = client.requests
    assert second.messages[:2] == (*first.messages, ChatMessage("assistant", GOOD.replace("factual", "fact")))
    assert "items.0.question_type" in second.messages[2].content
    assert answer.request.key() == second.key() != first.key()


def test_gives_up_after_the_second_answer() -> None:
    answer = asyncio.run(ask(Scripted(("不行", "stop"), ("还是不行", "stop")), REQUEST, QAItems))
    assert answer.value is None
    assert answer.defect == Defect("unparseable", "no JSON in the answer")
    assert answer.text == "还是不行"


def test_truncation_has_its_own_name_and_is_not_paid_again() -> None:
    client = Scripted((GOOD[:50], "length"))
    answer = asyncio.run(ask(client, REQUEST, QAItems))
    assert answer.defect is not None
    assert answer.defect.reason == "truncated"
    assert len(client.requests) == 1


def test_schema_is_strict_with_evidence_before_the_answer() -> None:
    schema = strict_schema(QAItems)
    item = schema["$defs"]["QAItem"]
    assert list(item["properties"]) == ["evidence", "question", "answer", "question_type"]
    assert item["additionalProperties"] is False
    assert item["required"] == list(item["properties"])


class Loose(BaseModel):
    note: str = ""


def test_a_loose_model_is_refused() -> None:
    with pytest.raises(ValueError, match="Loose: strict mode"):
        strict_schema(Loose)


def test_no_json_is_empty() -> None:
    assert extract_json("价格为 300 元") == ""
