"""Preference rows (DPO, reward models) in ShareGPT and in Alpaca layout, both ways.

ShareGPT layout: ``{"conversations", "chosen": {"from", "value"}, "rejected": {...}, "system", "tools"}``; the persona joins the
last user turn. Alpaca layout: ``{"instruction", "input", "chosen": str, "rejected": str, "system", "history"}``; keeps it.
"""

from datagen.errors import DataError
from datagen.jsonl import JsonObject
from datagen.schemas.alpaca import AlpacaPrompt, RowStyle, prompt_columns, prompt_turns
from datagen.schemas.fields import join_persona, media_columns, parse_row, read_tools, write_tools
from datagen.schemas.record import Message, PreferenceRecord
from datagen.schemas.sharegpt import ShareGPTPrompt, Turn, prompt_row, read_turn, read_turns, write_turn


class PreferenceRow(ShareGPTPrompt):
    """One pair in ShareGPT layout."""

    chosen: Turn
    rejected: Turn


class PreferenceAlpacaRow(AlpacaPrompt):
    """One pair in Alpaca layout."""

    chosen: str
    rejected: str


def read_preference(row: JsonObject) -> PreferenceRecord:
    """Read one row in ShareGPT layout, in canonical names.

    Raises:
        DataError: a column is missing or has the wrong type, or a role is unknown.
    """
    parsed = parse_row(PreferenceRow, row)
    return PreferenceRecord(
        prompt=read_turns(parsed),
        chosen=read_turn(parsed.chosen),
        rejected=read_turn(parsed.rejected),
        tools=read_tools(parsed.tools),
        media=parsed.media(),
    )


def write_preference(record: PreferenceRecord) -> JsonObject:
    """Write one row in ShareGPT layout: ``conversations, chosen, rejected, system, tools``, then media."""
    prompt = prompt_row(join_persona(record.prompt, record.persona), record.tools)
    return {
        "conversations": prompt["conversations"],
        "chosen": write_turn(record.chosen),
        "rejected": write_turn(record.rejected),
        "system": prompt["system"],
        "tools": prompt["tools"],
    } | media_columns(record.media)


def read_preference_alpaca(row: JsonObject, style: RowStyle = "persona") -> PreferenceRecord:
    """Read one row in Alpaca layout.

    Raises:
        DataError: a column is missing or has the wrong type.
    """
    parsed = parse_row(PreferenceAlpacaRow, row)
    prompt, persona = prompt_turns(parsed, row, style)
    return PreferenceRecord(
        prompt=prompt,
        chosen=Message(role="assistant", content=parsed.chosen),
        rejected=Message(role="assistant", content=parsed.rejected),
        persona=persona,
        tools=read_tools(parsed.tools),
        media=parsed.media(),
    )


def write_preference_alpaca(record: PreferenceRecord) -> JsonObject:
    """Write one row in Alpaca layout: ``instruction, input, chosen, rejected, system, history``, then tools and media.

    Raises:
        DataError: the prompt has tool turns, or an answer is not plain assistant text.
    """
    if any(m.role != "assistant" or m.tool_calls for m in (record.chosen, record.rejected)):
        raise DataError("chosen and rejected must be plain assistant text in Alpaca layout", hint="use --to preference")
    columns = prompt_columns(record.prompt, record.persona)
    row: JsonObject = {
        "instruction": columns["instruction"],
        "input": columns["input"],
        "chosen": record.chosen.content,
        "rejected": record.rejected.content,
        "system": columns["system"],
        "history": columns["history"],
    }
    if record.tools:
        row["tools"] = write_tools(record.tools)
    return row | media_columns(record.media)
