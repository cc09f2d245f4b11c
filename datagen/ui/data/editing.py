"""The texts of a record that a person may edit, and the record with other texts in their place."""

from typing import NamedTuple

from datagen.schemas.record import ConversationRecord, FeedbackRecord, Message, PreferenceRecord, Record, TextRecord


class Turn(NamedTuple):
    """One text of a record; ``role`` is a message's role, or chosen, rejected_answer, completion, text, persona."""

    role: str
    text: str


def turns(record: Record) -> list[Turn]:
    """Return a record's texts in the order they are read."""
    match record:
        case TextRecord():
            return [Turn("text", record.text)]
        case ConversationRecord():
            last = [Turn(m.role, m.content) for m in record.messages]
        case PreferenceRecord():
            last = [*_messages(record.prompt), Turn("chosen", record.chosen.content), Turn("rejected_answer", record.rejected.content)]
        case FeedbackRecord():
            last = [*_messages(record.prompt), Turn("completion", record.completion.content)]
    return [Turn("persona", record.persona), *last] if record.persona else last


def with_texts(record: Record, texts: list[str]) -> Record:
    """Return the record with its texts, in the order of :func:`turns`, replaced."""
    rest = list(texts)
    if isinstance(record, TextRecord):
        return record.model_copy(update={"text": rest[0]})
    changed: dict[str, object] = {"persona": rest.pop(0)} if record.persona else {}
    match record:
        case ConversationRecord():
            changed["messages"] = _replaced(record.messages, rest)
        case PreferenceRecord():
            chosen, rejected = rest[-2:]
            changed["prompt"] = _replaced(record.prompt, rest[:-2])
            changed["chosen"] = record.chosen.model_copy(update={"content": chosen})
            changed["rejected"] = record.rejected.model_copy(update={"content": rejected})
        case FeedbackRecord():
            changed["prompt"] = _replaced(record.prompt, rest[:-1])
            changed["completion"] = record.completion.model_copy(update={"content": rest[-1]})
    return record.model_copy(update=changed)


def _messages(messages: tuple[Message, ...]) -> list[Turn]:
    return [Turn(m.role, m.content) for m in messages]


def _replaced(messages: tuple[Message, ...], texts: list[str]) -> tuple[Message, ...]:
    return tuple(m.model_copy(update={"content": t}) for m, t in zip(messages, texts, strict=True))
