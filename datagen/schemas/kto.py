"""Feedback rows (KTO): a conversation whose last answer is labelled good or bad, in ShareGPT and in Alpaca layout.

ShareGPT layout: ``{"conversations", "kto_tag": bool, "system", "tools"}``; the persona joins the last user turn. Alpaca layout:
``{"instruction", "input", "output", "kto_tag": bool, "system", "history"}``; keeps it. Rows that name the tag ``label`` are
renamed by the layout first.
"""

from pydantic import Field, StrictBool

from datagen.errors import DataError
from datagen.jsonl import JsonObject
from datagen.schemas.alpaca import AlpacaRow, RowStyle, read_alpaca, write_alpaca
from datagen.schemas.fields import join_persona, media_columns, parse_row, read_tools
from datagen.schemas.record import ConversationRecord, FeedbackRecord
from datagen.schemas.sharegpt import ShareGPTPrompt, prompt_row, read_turns


class KtoRow(ShareGPTPrompt):
    """One labelled conversation in ShareGPT layout."""

    kto_tag: StrictBool = Field(description="true: the last answer is good")


class KtoAlpacaRow(AlpacaRow):
    """One labelled answer in Alpaca layout."""

    kto_tag: StrictBool = Field(description="true: the output is good")


def read_kto(row: JsonObject) -> FeedbackRecord:
    """Read one row in ShareGPT layout, in canonical names.

    Raises:
        DataError: a column has the wrong type (a label must be a JSON bool), or there is no answer.
    """
    parsed = parse_row(KtoRow, row)
    turns = read_turns(parsed)
    if not turns or turns[-1].role != "assistant":
        raise DataError("a feedback row must end with the answer that is labelled")
    return FeedbackRecord(
        prompt=turns[:-1], completion=turns[-1], label=parsed.kto_tag, tools=read_tools(parsed.tools), media=parsed.media()
    )


def write_kto(record: FeedbackRecord) -> JsonObject:
    """Write one row in ShareGPT layout: ``conversations, kto_tag, system, tools``, then media."""
    row = prompt_row((*join_persona(record.prompt, record.persona), record.completion), record.tools)
    return {
        "conversations": row["conversations"],
        "kto_tag": record.label,
        "system": row["system"],
        "tools": row["tools"],
    } | media_columns(record.media)


def read_kto_alpaca(row: JsonObject, style: RowStyle = "persona") -> FeedbackRecord:
    """Read one row in Alpaca layout.

    Raises:
        DataError: a column is missing or has the wrong type.
    """
    label = parse_row(KtoAlpacaRow, row).kto_tag
    conversation = read_alpaca(row, style)
    return FeedbackRecord(
        prompt=conversation.messages[:-1],
        completion=conversation.messages[-1],
        label=label,
        persona=conversation.persona,
        tools=conversation.tools,
        media=conversation.media,
    )


def write_kto_alpaca(record: FeedbackRecord) -> JsonObject:
    """Write one row in Alpaca layout: ``instruction, input, output, kto_tag, system, history``, then tools and media.

    Raises:
        DataError: the conversation has tool turns.
    """
    row = write_alpaca(
        ConversationRecord(messages=(*record.prompt, record.completion), persona=record.persona, tools=record.tools, media=record.media)
    )
    head = {key: row.pop(key) for key in ("instruction", "input", "output")}
    return head | {"kto_tag": record.label} | row
