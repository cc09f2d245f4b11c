"""ShareGPT rows: ``{"conversations": [{"from", "value"}, ...], "system", "tools"}`` and a conversation, both ways.

Tool calls are ``function_call`` turns holding JSON text, tool results are ``observation`` turns, ``tools`` is JSON text.
Rows with other column or tag names are brought to these names first (:meth:`Layout.normalise`).

Losses on writing: the persona joins the last user turn; parallel tool results join one observation, as LLaMA-Factory joins
them. On reading: white space inside the JSON of a call.
"""

from dataclasses import dataclass, field
from typing import cast

from pydantic import Field

from datagen.errors import DataError
from datagen.jsonl import JsonObject
from datagen.schemas.fields import (
    TOOL_RESULT_JOINT,
    MediaRow,
    RowModel,
    Text,
    join_persona,
    media_columns,
    parse_row,
    read_call_text,
    read_tools,
    write_call_text,
    write_tools,
)
from datagen.schemas.record import ConversationRecord, Message

ROLES = {
    "human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt", "model": "gpt", "chatgpt": "gpt", "bot": "gpt",
    "observation": "observation", "tool": "observation", "function_response": "observation",
    "function_call": "function_call", "function": "function_call", "tool_call": "function_call",
    "system": "system", "developer": "system",
}  # fmt: skip
"""Role names seen in the wild, by the canonical one."""


class Turn(RowModel):
    """One turn."""

    from_: str = Field(alias="from", description="human, gpt, function_call, observation or system")
    value: str


class ShareGPTPrompt(MediaRow):
    """The columns all ShareGPT layouts share."""

    conversations: list[Turn]
    system: Text = ""
    tools: Text = Field(default="", description="JSON text of a list of tools, or empty")


class ShareGPTRow(ShareGPTPrompt):
    """One supervised row."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Names a file uses: ``columns`` and ``tags`` map the file's name to the canonical one; others stay as they are."""

    columns: dict[str, str] = field(default_factory=dict[str, str])
    role_tag: str = "from"
    content_tag: str = "value"
    roles: dict[str, str] = field(default_factory=lambda: dict(ROLES))

    def normalise(self, row: JsonObject) -> JsonObject:
        """Return the row with canonical column, tag and role names; other values are left alone."""
        renamed = {self.columns.get(key, key): value for key, value in row.items()} if self.columns else dict(row)
        for column in ("conversations", "chosen", "rejected"):
            value = renamed.get(column)
            if isinstance(value, list):
                renamed[column] = [self._turn(turn) for turn in cast("list[object]", value)]
            elif isinstance(value, dict):
                renamed[column] = self._turn(cast("JsonObject", value))
        return renamed

    def _turn(self, turn: object) -> object:
        if not isinstance(turn, dict):
            return turn
        named = cast("JsonObject", turn)
        out: JsonObject = {}
        if self.role_tag in named:
            role = named[self.role_tag]
            out["from"] = self.roles.get(role, role) if isinstance(role, str) else role
        if self.content_tag in named:
            out["value"] = named[self.content_tag]
        return out


def read_sharegpt(row: JsonObject) -> ConversationRecord:
    """Read one row in canonical names.

    Raises:
        DataError: a column has the wrong type, a role is unknown, or a call or tools are not valid JSON.
    """
    parsed = parse_row(ShareGPTRow, row)
    return ConversationRecord(messages=read_turns(parsed), tools=read_tools(parsed.tools), media=parsed.media())


def write_sharegpt(record: ConversationRecord) -> JsonObject:
    """Write one row: ``conversations, system, tools``, then media if there are any.

    Raises:
        DataError: a system turn after the first turn.
    """
    return prompt_row(join_persona(record.messages, record.persona), record.tools) | media_columns(record.media)


def read_turns(parsed: ShareGPTPrompt) -> tuple[Message, ...]:
    """Return messages; a leading system turn wins over the ``system`` column, as in LLaMA-Factory."""
    turns = [read_turn(turn) for turn in parsed.conversations]
    if parsed.system and not (turns and turns[0].role == "system"):
        turns.insert(0, Message(role="system", content=parsed.system))
    if turns and turns[0] == Message(role="system"):
        del turns[0]
    return tuple(turns)


def read_turn(turn: Turn) -> Message:
    """Return one message.

    Raises:
        DataError: unknown role, or a function call that is not valid JSON.
    """
    match turn.from_:
        case "human":
            return Message(role="user", content=turn.value)
        case "gpt":
            return Message(role="assistant", content=turn.value)
        case "observation":
            return Message(role="tool", content=turn.value)
        case "system":
            return Message(role="system", content=turn.value)
        case "function_call":
            return read_call_text(turn.value)
        case _:
            raise DataError(f"unknown role {turn.from_!r}", hint=f"known roles: {', '.join(ROLES)}")


def write_turn(message: Message) -> JsonObject:
    """Return ``{"from", "value"}``."""
    if message.tool_calls:
        return {"from": "function_call", "value": write_call_text(message)}
    names = {"user": "human", "assistant": "gpt", "tool": "observation", "system": "system"}
    return {"from": names[message.role], "value": message.content}


def prompt_row(messages: tuple[Message, ...], tools: tuple[JsonObject, ...]) -> JsonObject:
    """Return ``conversations, system, tools`` for messages."""
    system = messages[0].content if messages and messages[0].role == "system" else ""
    rest = messages[1:] if messages and messages[0].role == "system" else messages
    if any(m.role == "system" for m in rest):
        raise DataError("a system turn after the first turn has no place in a ShareGPT row")
    turns: list[JsonObject] = []
    for message in rest:
        if message.role == "tool" and turns and turns[-1]["from"] == "observation":
            turns[-1]["value"] += TOOL_RESULT_JOINT + message.content
        else:
            turns.append(write_turn(message))
    return {"conversations": turns, "system": system, "tools": write_tools(tools)}
