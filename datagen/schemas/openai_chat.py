"""OpenAI chat rows: ``{"messages": [{"role", "content", "tool_calls"}], "tools": [...]}`` and a conversation, both ways.

``developer`` turns are system turns. ``arguments`` of a call are JSON text here, an object in a record. Content given as a list of text
parts is joined.

Losses: on writing, the persona joins the last user turn and call ids are made up (``call_1``, in order); on reading, call ids,
``name`` of a turn and the part borders. Media columns are carried beside the messages, as LLaMA-Factory does.
"""

import json
from typing import Any

from pydantic import Field

from datagen.errors import DataError
from datagen.jsonl import JsonObject
from datagen.schemas.fields import MediaRow, RowModel, ToolList, join_persona, media_columns, parse_row, read_call, unwrap_tools
from datagen.schemas.record import ConversationRecord, Message, Role

_ROLES: dict[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool", "function": "tool",
}  # fmt: skip


class ChatMessage(RowModel):
    """One message; ``content`` may be null beside ``tool_calls``."""

    role: str
    content: str | list[dict[str, Any]] | None = None
    tool_calls: ToolList = Field(default=[])
    tool_call_id: str | None = None


class OpenAIChatRow(MediaRow):
    """One supervised row."""

    messages: list[ChatMessage]
    tools: ToolList = Field(default=[])


def read_openai(row: JsonObject) -> ConversationRecord:
    """Read one row.

    Raises:
        DataError: a column has the wrong type, a role is unknown, or a content part is not text.
    """
    parsed = parse_row(OpenAIChatRow, row)
    return ConversationRecord(
        messages=tuple(_message(message) for message in parsed.messages), tools=unwrap_tools(parsed.tools), media=parsed.media()
    )


def write_openai(record: ConversationRecord) -> JsonObject:
    """Write one row: ``messages``, then ``tools`` and media if there are any."""
    messages: list[JsonObject] = []
    waiting: list[str] = []
    made = 0
    for message in join_persona(record.messages, record.persona):
        out: JsonObject = {"role": message.role, "content": message.content}
        if message.tool_calls:
            waiting = [f"call_{made + i + 1}" for i in range(len(message.tool_calls))]
            made += len(waiting)
            out["tool_calls"] = [
                {"id": key, "type": "function", "function": {"name": c.name, "arguments": json.dumps(c.arguments, ensure_ascii=False)}}
                for key, c in zip(waiting, message.tool_calls, strict=True)
            ]
        elif message.role == "tool" and waiting:
            out["tool_call_id"] = waiting.pop(0)
        messages.append(out)
    row: JsonObject = {"messages": messages}
    if record.tools:
        row["tools"] = [{"type": "function", "function": tool} for tool in record.tools]
    return row | media_columns(record.media)


def _message(message: ChatMessage) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise DataError(f"unknown role {message.role!r}", hint=f"known roles: {', '.join(_ROLES)}")
    calls = tuple(read_call(call.get("function", call)) for call in message.tool_calls)
    if message.content is None and not calls:
        raise DataError(f"content of a {message.role} message is null")
    return Message(role=role, content=_text(message.content), tool_calls=calls)


def _text(content: str | list[JsonObject] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    texts: list[str] = []
    for part in content:
        text = part.get("text", part.get("value")) if part.get("type") == "text" else None
        if not isinstance(text, str):
            raise DataError(f"content part of type {part.get('type')!r} is not text", hint="only text parts can be read")
        texts.append(text)
    return "".join(texts)
