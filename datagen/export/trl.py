"""Rows in the columns TRL's trainers read.

``prompt`` and ``completion`` (lists of messages) for one-answer conversations, where TRL's SFTTrainer learns the completion only;
``messages`` if a conversation has several answers (set ``assistant_only_loss``); ``prompt``, ``chosen``, ``rejected`` for pairs (DPO,
reward models); ``prompt``, ``completion``, ``label`` for KTO; ``text`` for continued pre-training. ``tools`` is JSON text, which TRL
parses; arguments of calls are objects.

Source: TRL 1.16: docs/source/dataset_formats.md, trainer/sft_trainer.py
"""

import json
from collections.abc import Sequence
from typing import Literal

from datagen.errors import DataError
from datagen.jsonl import JsonObject
from datagen.schemas.fields import join_persona
from datagen.schemas.record import ConversationRecord, FeedbackRecord, Message, PreferenceRecord, Record, TextRecord
from datagen.schemas.sample import Sample

TrlKind = Literal["prompt_completion", "messages", "preference", "unpaired_preference", "text"]


def trl_kind(samples: Sequence[Sample]) -> TrlKind:
    """Return the kind of rows these samples become; decided over all of them, so that every row has the same columns."""
    records = [sample.record for sample in samples]
    first = records[0]
    if isinstance(first, PreferenceRecord):
        return "preference"
    if isinstance(first, FeedbackRecord):
        return "unpaired_preference"
    if isinstance(first, TextRecord):
        return "text"
    single = all(isinstance(record, ConversationRecord) and _has_one_answer(record) for record in records)
    return "prompt_completion" if single else "messages"


def has_tools(samples: Sequence[Sample]) -> bool:
    """Say whether the rows need the column ``tools``; asked over all splits, since a loader stops on a column that only a later one has."""
    return any(not isinstance(s.record, TextRecord) and s.record.tools for s in samples)


def trl_rows(samples: Sequence[Sample], kind: TrlKind, *, tools: bool, arguments_as_text: bool = False) -> list[JsonObject]:
    """Return one row a sample; with ``tools`` each has that column.

    ``arguments_as_text`` writes ``tool_calls`` as JSON text, for files with one fixed schema.

    Raises:
        DataError: a sample of another kind, or one with media; names its position and id.
    """
    rows: list[JsonObject] = []
    for position, sample in enumerate(samples, 1):
        record = sample.record
        if not isinstance(record, TextRecord) and record.media != type(record.media)():
            raise DataError(
                f"sample {position} ({sample.id[:12]}) has media files, which this export does not carry", hint="remove the row"
            )
        row = _row(record, kind, arguments_as_text)
        if row is None:
            raise DataError(
                f"sample {position} ({sample.id[:12]}) is a {record.kind} record among others", hint="export one kind at a time"
            )
        if tools and not isinstance(record, TextRecord):
            row["tools"] = json.dumps([{"type": "function", "function": tool} for tool in record.tools], ensure_ascii=False)
        rows.append(row)
    return rows


def _row(record: Record, kind: TrlKind, as_text: bool) -> JsonObject | None:
    match record:
        case ConversationRecord() if kind in ("prompt_completion", "messages"):
            messages = _messages(join_persona(record.messages, record.persona), as_text)
            return {"messages": messages} if kind == "messages" else {"prompt": messages[:-1], "completion": messages[-1:]}
        case PreferenceRecord() if kind == "preference":
            prompt = _messages(join_persona(record.prompt, record.persona), as_text)
            return {"prompt": prompt, "chosen": _messages((record.chosen,), as_text), "rejected": _messages((record.rejected,), as_text)}
        case FeedbackRecord() if kind == "unpaired_preference":
            prompt = _messages(join_persona(record.prompt, record.persona), as_text)
            return {"prompt": prompt, "completion": _messages((record.completion,), as_text), "label": record.label}
        case TextRecord() if kind == "text":
            return {"text": record.text}
        case _:
            return None


def _messages(messages: Sequence[Message], as_text: bool) -> list[JsonObject]:
    out: list[JsonObject] = []
    for message in messages:
        row: JsonObject = {"role": message.role, "content": message.content}
        if message.tool_calls:
            calls = [{"type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in message.tool_calls]
            row["tool_calls"] = json.dumps(calls, ensure_ascii=False) if as_text else calls
        out.append(row)
    return out


def _has_one_answer(record: ConversationRecord) -> bool:
    roles = [message.role for message in record.messages]
    return roles.count("assistant") == 1 and roles[-1:] == ["assistant"] and "tool" not in roles
