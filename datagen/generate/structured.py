"""From a model's text to validated objects: thinking and fences stripped, damage repaired, the schema checked.

Reasons when it cannot be had: ``truncated`` (cut off by the token limit, even after repair), ``unparseable``, ``schema_mismatch``.
"""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from datagen.clients.types import ChatMessage, ChatRequest, ChatResponse, Client
from datagen.jsonl import JsonObject

Model = TypeVar("Model", bound=BaseModel)
THINK = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
FENCE = re.compile(r"```(?:json)?\s*\n(.*?)(?:\n```|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Structured(Generic[Model]):
    """``value`` or, if None, ``reason`` and ``detail``; and what was paid for it."""

    value: Model | None
    reason: str
    detail: str
    responses: tuple[ChatResponse, ...]
    request_key: str


def strict_schema(model: type[BaseModel]) -> JsonObject:
    """Return a model's JSON Schema in the form OpenAI's strict mode takes: every property required, nothing additional."""
    schema: JsonObject = model.model_json_schema()
    for part in [schema, *schema.get("$defs", {}).values()]:
        if part.get("type") == "object":
            part["additionalProperties"] = False
            part["required"] = list(part.get("properties", {}))
    return schema


def read_structured(text: str, model: type[Model]) -> Model:
    """Parse a model's answer.

    Raises:
        ValueError: there is no JSON in it (json.JSONDecodeError), or it is not of the schema (pydantic.ValidationError).
    """
    import json_repair

    bare = THINK.sub("", text).strip()
    fenced = FENCE.search(bare)
    bare = fenced.group(1) if fenced else bare
    try:
        value: Any = json.loads(bare)
    except (json.JSONDecodeError, RecursionError):
        start = min((i for i in (bare.find("{"), bare.find("[")) if i >= 0), default=-1)
        if start < 0:
            raise json.JSONDecodeError("no JSON in the answer", bare, 0) from None
        value = json_repair.loads(bare[start:])
    if isinstance(value, list) and len(model.model_fields) == 1:
        value = {next(iter(model.model_fields)): value}
    return model.model_validate(value)


async def ask(client: Client, request: ChatRequest, model: type[Model]) -> Structured[Model]:
    """Ask for an answer of the schema; ask once more, with the error, if it is not.

    Raises:
        ProviderError: the provider failed.
    """
    response = await client.complete(request)
    value, reason, detail = _read(response, model)
    if value is not None or reason == "truncated":
        return Structured(value, reason, detail, (response,), request.key())
    again = replace(
        request,
        messages=(
            *request.messages,
            ChatMessage("assistant", response.text),
            ChatMessage("user", f"That is not valid: {detail}\nAnswer again with JSON of the schema only."),
        ),
    )
    second = await client.complete(again)
    value, reason, detail = _read(second, model)
    return Structured(value, reason, detail, (response, second), again.key())


def _read(response: ChatResponse, model: type[Model]) -> tuple[Model | None, str, str]:
    try:
        return read_structured(response.text, model), "", ""
    except ValidationError as error:
        first = error.errors()[0]
        reason, detail = "schema_mismatch", f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except ValueError as error:
        reason, detail = "unparseable", str(error)
    if response.finish_reason == "length":
        return None, "truncated", "cut off by the token limit; raise max_tokens"
    return None, reason, detail
