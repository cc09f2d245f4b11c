"""Record: what a model is trained on, in one canonical form, whatever row format it came from or goes to."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Role = Literal["system", "user", "assistant", "tool"]


class Frozen(BaseModel):
    """Base of all immutable models here: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ToolCall(Frozen):
    """One call of a tool by the assistant; ``arguments`` is a JSON object."""

    name: str
    arguments: dict[str, Any] = {}


class Message(Frozen):
    """One turn. ``tool_calls`` only on assistant turns; a ``tool`` turn carries a tool's result."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


class Media(Frozen):
    """Paths of media files that belong to a record, as written in the data; never opened by datagen."""

    images: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    audios: tuple[str, ...] = ()


class ConversationRecord(Frozen):
    """Supervised conversation. The assistant turns are what the model learns.

    ``persona`` is a constant instruction put before the *last* user turn (the ``persona`` row style: Alpaca
    ``instruction`` = persona, ``input`` = question); empty in the ``task`` style.
    """

    kind: Literal["conversation"] = "conversation"
    messages: tuple[Message, ...]
    persona: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    media: Media = Media()


class PreferenceRecord(Frozen):
    """A prompt with a better and a worse completion (DPO, reward models)."""

    kind: Literal["preference"] = "preference"
    prompt: tuple[Message, ...]
    chosen: Message
    rejected: Message
    persona: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    media: Media = Media()


class FeedbackRecord(Frozen):
    """A prompt with one completion judged good (``label`` true) or bad (KTO)."""

    kind: Literal["feedback"] = "feedback"
    prompt: tuple[Message, ...]
    completion: Message
    label: bool
    persona: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    media: Media = Media()


class TextRecord(Frozen):
    """Plain text for continued pre-training."""

    kind: Literal["text"] = "text"
    text: str


Record = Annotated[ConversationRecord | PreferenceRecord | FeedbackRecord | TextRecord, Field(discriminator="kind")]
RECORD: TypeAdapter[Record] = TypeAdapter(Record)


def question_answer(question: str, answer: str, *, persona: str = "", system: str = "") -> ConversationRecord:
    """Build the one-turn conversation most rows are."""
    head = (Message(role="system", content=system),) if system else ()
    return ConversationRecord(
        messages=(*head, Message(role="user", content=question), Message(role="assistant", content=answer)),
        persona=persona,
    )


def prompt_text(record: Record) -> str:
    """Return what the user asks, without persona or system text: user turns joined by newlines ('' for text)."""
    return "\n".join(m.content for m in _prompt(record) if m.role == "user")


def completion_text(record: Record) -> str:
    """Return what the model should learn to say: assistant turns joined by newlines; chosen for preferences."""
    match record:
        case ConversationRecord():
            return "\n".join(m.content for m in record.messages if m.role == "assistant")
        case PreferenceRecord():
            return record.chosen.content
        case FeedbackRecord():
            return record.completion.content
        case TextRecord():
            return record.text


def whole_text(record: Record) -> str:
    """Return prompt and completion, the one below the other."""
    return f"{prompt_text(record)}\n{completion_text(record)}"


def _prompt(record: Record) -> tuple[Message, ...]:
    match record:
        case ConversationRecord():
            return record.messages
        case PreferenceRecord() | FeedbackRecord():
            return record.prompt
        case TextRecord():
            return ()
