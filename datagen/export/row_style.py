"""The two row styles of question-answer data, told apart over a file and turned into each other.

``persona``: a constant instruction, the question in ``input``. ``task``: the question in ``instruction``, ``input`` empty. A model
trained on both is asked in two ways, so a file should use one. A record holds the style as its ``persona`` (empty in task style).
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from datagen.errors import UsageError
from datagen.jsonl import JsonObject
from datagen.schemas.alpaca import RowStyle, row_style
from datagen.schemas.record import ConversationRecord, FeedbackRecord, Message, PreferenceRecord, TextRecord
from datagen.schemas.sample import Sample

PersonaGoes = Literal["system", "join", "drop"]


class StyleMix(NamedTuple):
    """How many rows of an Alpaca file are in each style; ``other`` have an instruction of their own and an input beside it."""

    persona: int
    task: int
    other: int

    @property
    def mixed(self) -> bool:
        return bool(self.persona and (self.task or self.other))


def style_mix(rows: Sequence[JsonObject]) -> StyleMix:
    """Count the styles of rows with ``instruction`` and ``input``; personas are constants only where the file's style is ``persona``."""
    pairs = [(row.get("instruction"), row.get("input")) for row in rows]
    asked = sum(bool(instruction) and not question for instruction, question in pairs)
    used = Counter(str(instruction) for instruction, question in pairs if instruction and question)
    if row_style(rows) == "task":
        return StyleMix(0, asked, used.total())
    personas = {instruction for instruction, count in used.items() if count >= 2 or len(used) == 1}
    persona = sum(count for instruction, count in used.items() if instruction in personas)
    return StyleMix(persona, asked, used.total() - persona)


def to_task(sample: Sample, persona_goes: PersonaGoes = "system") -> Sample:
    """Return the sample in task style; its persona goes to the system prompt (before one that is there), is joined to the question, or
    is dropped.

    ``join`` keeps the training text to the letter: LLaMA-Factory joins instruction and input the same way. Ids follow the new record.
    """
    record = sample.record
    if isinstance(record, TextRecord) or not record.persona:
        return sample
    messages = record.messages if isinstance(record, ConversationRecord) else record.prompt
    if persona_goes == "system":
        messages = _with_system(messages, record.persona)
    elif persona_goes == "join":
        from datagen.schemas.fields import join_persona

        messages = join_persona(messages, record.persona)
    return _rebuilt(sample, messages, "")


def to_persona(sample: Sample, persona: str = "") -> Sample:
    """Return the sample in persona style with this persona; without one, with the row's own system prompt, which then leaves its place.

    Raises:
        UsageError: no persona is given and the row has neither one nor a system prompt.
    """
    record = sample.record
    if isinstance(record, TextRecord) or (record.persona and not persona):
        return sample
    messages = record.messages if isinstance(record, ConversationRecord) else record.prompt
    if persona:
        return _rebuilt(sample, messages, persona)
    if not messages or messages[0].role != "system" or not messages[0].content:
        raise UsageError(f"sample {sample.id[:12]} has no system prompt to use as persona", hint="give the persona's text")
    return _rebuilt(sample, messages[1:], messages[0].content)


def _with_system(messages: tuple[Message, ...], persona: str) -> tuple[Message, ...]:
    if messages and messages[0].role == "system":
        joined = f"{persona}\n{messages[0].content}" if messages[0].content else persona
        return (Message(role="system", content=joined), *messages[1:])
    return (Message(role="system", content=persona), *messages)


def _rebuilt(sample: Sample, messages: tuple[Message, ...], persona: str) -> Sample:
    record = sample.record
    style: RowStyle = "persona" if persona else "task"
    match record:
        case ConversationRecord():
            changed = record.model_copy(update={"messages": messages, "persona": persona})
        case PreferenceRecord() | FeedbackRecord():
            changed = record.model_copy(update={"prompt": messages, "persona": persona})
        case TextRecord():
            return sample
    return Sample.of(changed, provenance=sample.provenance, tags={**sample.tags, "row_style": style}).model_copy(
        update={"scores": sample.scores}
    )
