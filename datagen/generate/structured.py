"""Answers as data: text of a model to a validated object, with one re-ask when it does not fit.

Steps: reasoning (``<think>...</think>``), code fences and words around the JSON are cut off; strict JSON is tried, then repair of small
damage; Pydantic validates. JSON that ends early is not repaired the first time: repair would silently lose items. Defects:
``truncated`` (the provider stopped at ``max_tokens``; asking again would end the same way), ``unparseable``, ``schema_mismatch``.
"""

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from datagen.clients.types import ChatMessage, ChatRequest, ChatResponse, Client
from datagen.jsonl import JsonObject

T = TypeVar("T", bound=BaseModel)
_FENCE = re.compile(r"```[A-Za-z0-9]*[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.S)


@dataclass(frozen=True, slots=True)
class Defect:
    """Why a text is not the object that was asked for."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What came of asking: a value or a defect, the text it was read from, its request, and every response on the way."""

    value: T | None
    defect: Defect | None
    text: str
    request: ChatRequest
    responses: tuple[ChatResponse, ...]


async def ask(client: Client, request: ChatRequest, model: type[T]) -> Answer[T]:
    """Ask for an object of ``model``; once more, with the error, if the answer is not one.

    Raises:
        RequestFailed, ProviderError: as the client.
    """
    first = await client.complete(request)
    value, defect = _read(first, model, salvage=False)
    if defect is None or defect.reason == "truncated":
        return Answer(value, defect, first.text, request, (first,))
    again = replace(
        request,
        messages=(
            *request.messages,
            ChatMessage("assistant", first.text),
            ChatMessage("user", f"This is not valid ({defect.detail}). Answer again with the corrected JSON object only."),
        ),
    )
    second = await client.complete(again)
    value, defect = _read(second, model, salvage=True)
    return Answer(value, defect, second.text, again, (first, second))


def parse(text: str, model: type[T], *, salvage: bool = False) -> T | Defect:
    """Read one object from a model's text.

    Args:
        text: the completion.
        model: what it should be.
        salvage: also repair JSON that ends early; what was not written is missing from the result.
    """
    body = extract_json(text)
    if not body:
        return Defect("unparseable", "no JSON in the answer")
    value = _loads(body, salvage)
    if isinstance(value, Defect):
        return value
    try:
        return model.model_validate(value)
    except ValidationError as error:
        shown = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the object'}: {e['msg']}" for e in error.errors()[:3])
        return Defect("schema_mismatch", shown)


def extract_json(text: str) -> str:
    """Return the JSON part of a text, from its first bracket on, without reasoning, fences and words before; '' if there is none."""
    body = text.strip().lstrip("\ufeff")
    if body[:1] not in ("{", "["):
        # Some servers swallow the opening tag, so that reasoning starts without one.
        body = body.rpartition("</think>")[2].strip() if "</think>" in body else re.sub(r"\A<think>.*", "", body, flags=re.S)
    fence = _FENCE.search(body)
    if fence and body[:1] not in ("{", "["):
        body = fence.group(1).strip()
    start = min((i for i in (body.find("{"), body.find("[")) if i >= 0), default=-1)
    return body[start:] if start >= 0 else ""


def extract_reasoning(text: str) -> str:
    """Return what a model wrote between ``<think>`` and ``</think>`` before its answer; '' if nothing (an opening tag may be missing)."""
    head, closed, _ = text.strip().partition("</think>")
    if head[:1] in ("{", "["):
        return ""  # a tag inside a string of the answer
    return head.strip().removeprefix("<think>").strip() if closed else ""


@cache
def strict_schema(model: type[BaseModel]) -> JsonObject:
    """Return the JSON Schema of a model in the form OpenAI's strict mode takes; one object a model, not to be changed.

    Raises:
        ValueError: an object of it allows other properties or has optional ones.
    """
    schema: dict[str, Any] = model.model_json_schema()
    for node in (schema, *schema.get("$defs", {}).values()):
        closed = node.get("additionalProperties") is False and set(node.get("required", ())) == set(node.get("properties", {}))
        if node.get("type") == "object" and not closed:
            raise ValueError(f"{node.get('title')}: strict mode needs every property required and no others allowed")
    return schema


def _read(response: ChatResponse, model: type[T], *, salvage: bool) -> tuple[T | None, Defect | None]:
    if response.finish_reason == "length":
        return None, Defect("truncated", f"the answer was cut off after {response.tokens_out} tokens; raise max_tokens")
    value = parse(response.text, model, salvage=salvage)
    return (None, value) if isinstance(value, Defect) else (value, None)


def _loads(body: str, salvage: bool) -> object:
    try:
        return json.JSONDecoder(strict=False).raw_decode(body)[0]
    except (ValueError, RecursionError) as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
    closed = body.rstrip("` \n\t").endswith(("}", "]"))
    if not closed and not salvage:
        return Defect("unparseable", f"the JSON ends early: {problem}")
    import json_repair

    try:
        value: object = json_repair.loads(body)
    except (ValueError, RecursionError):
        value = ""
    return value if isinstance(value, dict | list) else Defect("unparseable", problem)
