"""Alpaca rows: ``{"instruction", "input", "output", "system", "history"}`` and a conversation, both ways.

Two row styles mean the same training text, because LLaMA-Factory joins ``instruction`` and ``input`` by a newline:
``persona`` (constant instruction, question in ``input``) and ``task`` (question in ``instruction``, empty ``input``).
Which one a file uses can only be seen over its rows: see :func:`row_style`.

Losses on writing: tool calls and tool results have no place (an error); a conversation must be system, then pairs.
On reading in ``task`` style, ``instruction`` and ``input`` become one user turn; the place of the newline is forgotten.
"""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from datagen.errors import DataError
from datagen.jsonl import JsonObject
from datagen.schemas.fields import EMPTY_LIST, MediaRow, Pairs, Text, media_columns, parse_row, read_tools, write_tools
from datagen.schemas.record import ConversationRecord, Message

RowStyle = Literal["persona", "task"]


class AlpacaPrompt(MediaRow):
    """The columns all Alpaca layouts share."""

    instruction: Text = Field(default="", description="the question (task style) or a constant persona (persona style)")
    input: Text = Field(default="", description="the question (persona style), context, or empty")
    system: Text = Field(default="", description="system prompt, or empty")
    history: Pairs = Field(default_factory=list, description="earlier turns as [question, answer] pairs", json_schema_extra=EMPTY_LIST)
    tools: Text = Field(default="", description="JSON text of a list of tools, or empty")


class AlpacaRow(AlpacaPrompt):
    """One supervised row."""

    output: str = Field(description="the answer the model learns")


def row_style(rows: Iterable[JsonObject]) -> RowStyle:
    """Return ``persona`` if the instructions beside a non-empty input are constants: each is used twice or more on average."""
    pairs = [(row.get("instruction"), row.get("input")) for row in rows]
    used = [str(instruction) for instruction, question in pairs if instruction and question]
    distinct = len(set(used))
    return "persona" if used and (distinct == 1 or len(used) >= 2 * distinct) else "task"


def read_alpaca(row: JsonObject, style: RowStyle = "persona") -> ConversationRecord:
    """Read one row.

    Raises:
        DataError: a column has the wrong type, or neither ``instruction`` nor ``input`` is there.
    """
    parsed = parse_row(AlpacaRow, row)
    messages, persona = prompt_turns(parsed, row, style)
    return ConversationRecord(
        messages=(*messages, Message(role="assistant", content=parsed.output)),
        persona=persona,
        tools=read_tools(parsed.tools),
        media=parsed.media(),
    )


def write_alpaca(record: ConversationRecord) -> JsonObject:
    """Write one row: ``instruction, input, output, system, history``, then tools and media if there are any.

    Raises:
        DataError: the conversation is not (system), user, assistant, user, assistant, ...
    """
    if not record.messages or record.messages[-1].role != "assistant" or record.messages[-1].tool_calls:
        raise DataError("an Alpaca row must end with an assistant turn without tool calls", hint="use --to sharegpt")
    columns = prompt_columns(record.messages[:-1], record.persona)
    row: JsonObject = {
        "instruction": columns["instruction"],
        "input": columns["input"],
        "output": record.messages[-1].content,
        "system": columns["system"],
        "history": columns["history"],
    }
    if record.tools:
        row["tools"] = write_tools(record.tools)
    return row | media_columns(record.media)


def prompt_turns(parsed: AlpacaPrompt, row: JsonObject, style: RowStyle) -> tuple[tuple[Message, ...], str]:
    """Return the turns before the answer, and the persona."""
    if "instruction" not in row and "input" not in row:
        raise DataError(f"column 'instruction' is missing; this row has {', '.join(map(repr, row)) or 'no columns'}")
    turns: list[Message] = [Message(role="system", content=parsed.system)] if parsed.system else []
    for question, answer in parsed.history:
        turns += [Message(role="user", content=question), Message(role="assistant", content=answer)]
    persona = parsed.instruction if style == "persona" and parsed.instruction and parsed.input else ""
    question = parsed.input if persona else "\n".join(text for text in (parsed.instruction, parsed.input) if text)
    return (*turns, Message(role="user", content=question)), persona


def prompt_columns(prompt: tuple[Message, ...], persona: str) -> JsonObject:
    """Return ``instruction, input, system, history`` for the turns before the answer.

    Raises:
        DataError: turns are not (system), pairs of user and assistant, then user; or one carries a tool call.
    """
    has_system = bool(prompt) and prompt[0].role == "system"
    turns = prompt[1:] if has_system else prompt
    expected = ["user" if i % 2 == 0 else "assistant" for i in range(len(turns))]
    if [m.role for m in turns] != expected or len(turns) % 2 == 0 or any(m.tool_calls for m in turns):
        roles = ", ".join("function_call" if m.tool_calls else m.role for m in prompt) or "nothing"
        raise DataError(f"an Alpaca row holds (system), pairs of user and assistant, user; got {roles}", hint="use --to sharegpt")
    history = [[turns[i].content, turns[i + 1].content] for i in range(0, len(turns) - 1, 2)]
    question = turns[-1].content
    return {
        "instruction": persona or question,
        "input": question if persona else "",
        "system": prompt[0].content if has_system else "",
        "history": history,
    }
