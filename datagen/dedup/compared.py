"""What of a row is compared: its prompt, its completion, or both, and what makes two rows identical."""

from collections.abc import Hashable
from typing import Literal, NamedTuple

from datagen.dedup.shingle import numbers
from datagen.hashing import canonical_json
from datagen.schemas.record import FeedbackRecord, Message, PreferenceRecord, Record, TextRecord, completion_text, prompt_text

On = Literal["prompt", "completion", "both"]


class Compared(NamedTuple):
    """A row as deduplication sees it.

    ``identity`` equal: exact duplicates. ``text``: what shingles are made of. ``prompt`` and ``completion`` are set only where a row has
    both and both count: then the same prompt with another completion is a conflict. Rows with different ``guard`` are never near
    duplicates.
    """

    identity: bytes
    text: str
    prompt: str = ""
    completion: str = ""
    guard: Hashable = None


def of_text(text: str) -> Compared:
    """Compare a plain text; only equal strings are identical."""
    return Compared(text.encode("utf-8", "surrogatepass"), text)


def of_record(record: Record, on: On = "both") -> Compared:
    """Compare a record. Persona, system text and tool definitions are not compared: they repeat in all rows of a set."""
    identity = canonical_json(record.model_dump(mode="json"))
    prompt, completion = prompt_text(record), _completion(record)
    guard = record.label if isinstance(record, FeedbackRecord) else None
    if isinstance(record, TextRecord) or on == "completion":
        return Compared(identity, completion, guard=guard)
    if on == "prompt":
        return Compared(identity, prompt)
    return Compared(identity, f"{prompt}\n{completion}", prompt, completion, guard)


def guard_numbers(compared: Compared) -> Compared:
    """Return the row guarded by its numbers, too: "standard room 300" and "suite 500" share a template, not a fact."""
    return compared._replace(guard=(compared.guard, numbers(compared.text)))


def _completion(record: Record) -> str:
    texts = [completion_text(record)]
    if isinstance(record, PreferenceRecord):
        texts.append(record.rejected.content)
    texts += [f"{call.name} {canonical_json(call.arguments).decode()}" for turn in _turns(record) for call in turn.tool_calls]
    return "\n".join(texts)


def _turns(record: Record) -> tuple[Message, ...]:
    match record:
        case PreferenceRecord():
            return (record.chosen, record.rejected)
        case FeedbackRecord():
            return (record.completion,)
        case TextRecord():
            return ()
        case _:
            return record.messages
