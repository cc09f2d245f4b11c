"""Records as text a model is trained on: segments that are read (prompt) and segments that are learned (completion).

A model with a chat template is trained on it; a base model gets a fixed plain template: Gemma's turns where its vocabulary has
them (what LLaMA-Factory's ``gemma2`` template writes), else ``User: ... / Assistant: ...``. A persona is joined to the last user turn with
a newline, as LLaMA-Factory joins ``instruction`` and ``input``. The end-of-turn token is part of what is learned.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from datagen.errors import DataError
from datagen.schemas.record import ConversationRecord, FeedbackRecord, Message, PreferenceRecord, Record, TextRecord

RENDER_VERSION = 1


class Segment(NamedTuple):
    """A stretch of text; ``learned`` segments are completions."""

    text: str
    learned: bool


class ChatTokenizer(Protocol):
    """The part of a transformers tokenizer used here."""

    chat_template: str | None
    eos_token: str | None

    unk_token_id: int | None

    def convert_tokens_to_ids(self, tokens: str) -> int | None: ...


def render(record: Record, tokenizer: ChatTokenizer) -> list[Segment]:
    """Split a record into prompt and completion segments, in order.

    Raises:
        DataError: the record has no assistant turn, or is feedback labelled bad (nothing to learn).
    """
    if isinstance(record, TextRecord):
        return [Segment(record.text + (tokenizer.eos_token or ""), True)]
    segments = _render_messages(_with_persona(_messages(record), record.persona), tokenizer)
    if isinstance(record, ConversationRecord):
        return segments
    # Earlier turns of a preference or of feedback are its prompt: only the answer that was judged is learned.
    last = max(i for i, s in enumerate(segments) if s.learned)
    return [Segment(s.text, i == last) for i, s in enumerate(segments)]


def _render_messages(messages: Sequence[Message], tokenizer: ChatTokenizer) -> list[Segment]:
    if tokenizer.chat_template:
        return _from_template(messages, tokenizer)
    # Asking for the whole vocabulary would copy a quarter of a million strings for every row.
    if tokenizer.convert_tokens_to_ids("<start_of_turn>") not in (None, tokenizer.unk_token_id):
        return _turns(messages, "<start_of_turn>user\n", "<end_of_turn>\n", "<start_of_turn>model\n", "<end_of_turn>")
    return _turns(messages, "User: ", "\n", "Assistant: ", tokenizer.eos_token or "\n")


def _messages(record: ConversationRecord | PreferenceRecord | FeedbackRecord) -> list[Message]:
    match record:
        case ConversationRecord():
            messages = list(record.messages)
        case PreferenceRecord():
            messages = [*record.prompt, record.chosen]
        case FeedbackRecord():
            if not record.label:
                raise DataError("a feedback record labelled bad has no completion to learn", hint="filter the file to label true")
            messages = [*record.prompt, record.completion]
    if not any(m.role == "assistant" for m in messages):
        raise DataError("a conversation without an assistant turn has nothing to learn")
    return messages


def _with_persona(messages: list[Message], persona: str) -> list[Message]:
    if not persona:
        return messages
    last = max((i for i, m in enumerate(messages) if m.role == "user"), default=None)
    if last is None:
        return [Message(role="system", content=persona), *messages]
    joined = messages[last].model_copy(update={"content": f"{persona}\n{messages[last].content}"})
    return [*messages[:last], joined, *messages[last + 1 :]]


def _content(message: Message) -> str:
    calls = "\n".join(json.dumps(c.model_dump(), ensure_ascii=False, sort_keys=True) for c in message.tool_calls)
    return "\n".join(part for part in (message.content, calls) if part)


def _turns(messages: Sequence[Message], user: str, user_end: str, assistant: str, assistant_end: str) -> list[Segment]:
    """Gemma has no system turn: system text goes before the next user turn, on its own line."""
    segments: list[Segment] = []
    pending = system = ""
    for message in messages:
        if message.role == "assistant":
            segments += [Segment(pending + assistant, False), Segment(_content(message) + assistant_end, True)]
            pending = "\n"
        elif message.role == "system":
            system += f"{message.content}\n"
        else:
            pending += f"{user}{system}{_content(message)}{user_end}"
            system = ""
    return segments


def _from_template(messages: Sequence[Message], tokenizer: ChatTokenizer) -> list[Segment]:
    """Cut the template's text where each assistant turn starts: what the template adds for generation is prompt."""
    turns = [{"role": "user" if m.role == "tool" else m.role, "content": _content(m)} for m in messages]
    segments: list[Segment] = []
    done = ""
    for i, turn in enumerate(turns):
        if turn["role"] != "assistant":
            continue
        opened: str = tokenizer.apply_chat_template(turns[:i], tokenize=False, add_generation_prompt=True)  # type: ignore[attr-defined]
        closed: str = tokenizer.apply_chat_template(turns[: i + 1], tokenize=False)  # type: ignore[attr-defined]
        cut = _common(opened, closed)
        segments += [Segment(closed[len(done) : cut], False), Segment(closed[cut:].rstrip("\n"), True)]
        done = closed.rstrip("\n")
    return segments


def _common(a: str, b: str) -> int:
    n = min(len(a), len(b))
    return next((i for i in range(n) if a[i] != b[i]), n)
