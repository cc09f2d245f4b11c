"""What row codecs share: lenient nulls, strict types, one-line errors, and how tool calls are written as text.

A row model accepts ``null`` for an optional column and ignores columns it does not know; a wrong type is a
:class:`~datagen.errors.DataError` that names the column. Callers add ``file:line``.
"""

import json
import math
import re
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict

from datagen.errors import DataError
from datagen.jsonl import JsonObject, parse_json
from datagen.schemas.record import Media, Message, ToolCall

# LLaMA-Factory joins parallel tool results like this. Source: LLaMA-Factory: src/llamafactory/data/converter.py
TOOL_RESULT_JOINT = "\n</tool_response>\n<tool_response>\n"
_THOUGHT = re.compile(r"<think>.*?</think>\s*", re.DOTALL)
_DEEPEST = 100
_CALL = re.compile(r"<tool_call>(.*?)</tool_call>\s*\Z", re.DOTALL)


def _none_to_text(value: object) -> object:
    return "" if value is None else value


def _none_to_list(value: object) -> object:
    return [] if value is None else value


def _one_to_list(value: object) -> object:
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_none_to_text)]
Pairs = Annotated[list[tuple[str, str]], BeforeValidator(_none_to_list)]
Paths = Annotated[list[str], BeforeValidator(_one_to_list)]
# A factory and not a literal: pydantic deep-copies a mutable default for every row, a quarter of the time of reading one.
EMPTY_LIST: JsonDict = {"default": []}
ToolList = Annotated[list[dict[str, Any]], BeforeValidator(_none_to_list)]


class RowModel(BaseModel):
    """Base of row models: unknown columns are ignored (and reported as a loss by ``convert``)."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, strict=False)


class MediaRow(RowModel):
    """Optional media columns of LLaMA-Factory rows: lists of paths."""

    images: Paths = Field(default_factory=list, json_schema_extra=EMPTY_LIST)
    videos: Paths = Field(default_factory=list, json_schema_extra=EMPTY_LIST)
    audios: Paths = Field(default_factory=list, json_schema_extra=EMPTY_LIST)

    def media(self) -> Media:
        return Media(images=tuple(self.images), videos=tuple(self.videos), audios=tuple(self.audios))


_Model = TypeVar("_Model", bound=BaseModel)


def parse_row(model: type[_Model], row: JsonObject) -> _Model:
    """Validate a row.

    Raises:
        DataError: the first problem, as ``column 'output': expected a string, got int``.
    """
    try:
        return model.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "row"
        if first["type"] == "missing":
            raise DataError(f"column '{where}' is missing; this row has {', '.join(map(repr, row)) or 'no columns'}") from error
        got = type(first["input"]).__name__
        raise DataError(f"column '{where}': {first['msg'].lower()}, got {got}") from error


def media_columns(media: Media) -> JsonObject:
    """Return the media columns that hold something."""
    columns: JsonObject = {"images": list(media.images), "videos": list(media.videos), "audios": list(media.audios)}
    return {key: value for key, value in columns.items() if value}


def read_tools(text: str) -> tuple[JsonObject, ...]:
    """Read a ``tools`` column: JSON text of a list; an OpenAI wrapper ``{"type", "function"}`` is taken off.

    Raises:
        DataError: not JSON, or not a list of objects.
    """
    if not text:
        return ()
    try:
        value = parse_json(text, nan=False)
    except json.JSONDecodeError as error:
        raise DataError(f"column 'tools' is not valid JSON: {error.msg} (character {error.pos})") from error
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in cast("list[object]", value)):
        raise DataError(f"column 'tools' must hold a JSON list of objects, got {type(value).__name__}")
    return unwrap_tools(cast("list[JsonObject]", value))


def unwrap_tools(tools: list[JsonObject]) -> tuple[JsonObject, ...]:
    """Take the OpenAI wrapper ``{"type": "function", "function": {...}}`` off each tool that has it.

    Raises:
        DataError: a tool holds NaN or is nested too deeply.
    """
    _check_plain(tools, "column 'tools'")
    return tuple(tool["function"] if tool.keys() == {"type", "function"} and isinstance(tool["function"], dict) else tool for tool in tools)


def write_tools(tools: tuple[JsonObject, ...]) -> str:
    """Return a ``tools`` column: JSON text, or '' for none."""
    return json.dumps(list(tools), ensure_ascii=False) if tools else ""


def read_call_text(value: str) -> Message:
    """Read a ``function_call`` turn: JSON of a call or a list of calls, after optional reasoning or text.

    Forms: ``{json}``, ``<think>...</think>{json}``, ``text<tool_call>{json}</tool_call>``.
    Source: LLaMA-Factory: src/llamafactory/data/formatter.py FunctionFormatter

    Raises:
        DataError: not JSON, or a call without ``name`` and object ``arguments``.
    """
    if match := _CALL.search(value):
        content, text = value[: match.start()], match.group(1)
    elif match := _THOUGHT.match(value):
        content, text = match.group(0), value[match.end() :]
    else:
        content, text = "", value
    try:
        parsed = parse_json(text, nan=False)
    except json.JSONDecodeError as error:
        raise DataError(f"function_call turn is not valid JSON: {error.msg} (character {error.pos}): {text[:60]!r}") from error
    calls = cast("list[object]", parsed) if isinstance(parsed, list) else [cast("object", parsed)]
    return Message(role="assistant", content=content, tool_calls=tuple(read_call(call) for call in calls))


def read_call(call: object) -> ToolCall:
    """Read one call; ``arguments`` may be an object or, as OpenAI writes it, JSON text of one.

    Raises:
        DataError: ``name`` or ``arguments`` are missing or of the wrong type.
    """
    fields = cast("JsonObject", call) if isinstance(call, dict) else {}
    name, arguments = fields.get("name"), fields.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = parse_json(arguments or "{}", nan=False)
        except json.JSONDecodeError as error:
            raise DataError(f"arguments of tool call {name!r} are not valid JSON: {arguments[:60]!r}") from error
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise DataError(f'a tool call must be {{"name": ..., "arguments": {{...}}}}, got {json.dumps(call, ensure_ascii=False)[:80]}')
    _check_plain(arguments, f"arguments of tool call {name!r}")
    return ToolCall(name=name, arguments=cast("JsonObject", arguments))


def _check_plain(value: object, where: str, depth: int = 0) -> None:
    """Refuse what JSON cannot hold (NaN, infinity) and nesting that no reader after us follows."""
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{where}: {value} is not JSON")
    if depth > _DEEPEST:
        raise DataError(f"{where}: nested more than {_DEEPEST} deep")
    if isinstance(value, dict | list):
        for item in cast("dict[str, object]", value).values() if isinstance(value, dict) else cast("list[object]", value):
            _check_plain(item, where, depth + 1)


def write_call_text(message: Message) -> str:
    """Return a ``function_call`` turn's value; the inverse of :func:`read_call_text`."""
    calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    # A call's text may hold marks of reasoning and calls; in JSON "<" can be written so that they are none.
    text = json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False).replace("<", "\\u003c")
    thought = _THOUGHT.fullmatch(message.content) and message.content.endswith("</think>\n\n")
    return message.content + text if thought or not message.content else f"{message.content}<tool_call>{text}</tool_call>"


def join_persona(messages: tuple[Message, ...], persona: str) -> tuple[Message, ...]:
    """Put the persona before the last user turn, as LLaMA-Factory joins ``instruction`` and ``input``."""
    if not persona:
        return messages
    last = max((i for i, m in enumerate(messages) if m.role == "user"), default=None)
    if last is None:
        raise DataError("a persona needs a user turn to stand before")
    turn = messages[last]
    joined = turn.model_copy(update={"content": f"{persona}\n{turn.content}" if turn.content else persona})
    return (*messages[:last], joined, *messages[last + 1 :])
