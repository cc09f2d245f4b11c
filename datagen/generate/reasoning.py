"""Reasoning of a model kept in a row: ``<think>`` before the last answer, in the form that chat templates of reasoning models write."""

from datagen.schemas.record import ConversationRecord, Record


def with_reasoning(record: Record, reasoning: str) -> Record:
    """Return a conversation whose last message begins with the reasoning; other records, and all without reasoning, as they are."""
    if not isinstance(record, ConversationRecord) or not reasoning:
        return record
    *before, last = record.messages
    thought = last.model_copy(update={"content": f"<think>\n{reasoning}\n</think>\n\n{last.content}"})
    return record.model_copy(update={"messages": (*before, thought)})


def has_reasoning(record: Record) -> bool:
    """Say whether a record's last message begins with reasoning."""
    return isinstance(record, ConversationRecord) and record.messages[-1].content.startswith("<think>\n")
