"""``multi_turn``: conversations about a passage in which every answer has its own quote.

A conversation with one bad turn is dropped whole, under that turn's reason; an answer may also rest on what earlier turns quoted. Only the
first question must make sense alone. Reasons beside those of ``defects``: ``too_few_turns``. One request a round.

Source: Z. Dai et al., "Dialog Inpainting: Turning documents into dialogs", ICML 2022 (arXiv 2205.09073).
"""

from typing import Unpack

from datagen.clients import Client
from datagen.generate.defects import pair_defect
from datagen.generate.round import Defect, Round
from datagen.generate.writer import ITEMS, Frame, ItemList, Writer
from datagen.jsonl import JsonObject
from datagen.schemas.record import ConversationRecord, Frozen, Message
from datagen.schemas.sample import EvidenceSpan

PROMPT = "multi_turn/{language}.v1"
FEWEST_TURNS = 2


class Turn(Frozen):
    """A question and its answer; evidence first."""

    evidence: str
    question: str
    answer: str


class Conversation(Frozen):
    """One conversation."""

    turns: tuple[Turn, ...]


class Conversations(ItemList):
    """A whole answer."""

    items: tuple[Conversation, ...]


class MultiTurn(Writer):
    """The strategy (see the module). ``turns``: questions wanted in a conversation, at least two."""

    name = "multi_turn"
    prompts = (PROMPT,)
    forms = (Conversations,)

    def __init__(self, client: Client, *, turns: int = 3, **frame: Unpack[Frame]) -> None:
        frame["max_tokens"] = frame.get("max_tokens") or self.tokens_per_item * frame.get("items", ITEMS) * turns + self.tokens_beside
        super().__init__(client, **frame)
        self._turns = turns

    def options(self) -> JsonObject:
        return {"turns": self._turns}

    async def write(self, round_: Round) -> None:
        asked = await round_.ask(PROMPT, Conversations, turns=self._turns)
        if asked is None:
            return
        for item in asked.value.items:
            spans = [round_.locate(turn.evidence) for turn in item.turns]
            messages: list[Message] = []
            for turn in item.turns:
                messages.append(Message(role="user", content=turn.question.strip()))
                messages.append(Message(role="assistant", content=turn.answer.strip()))
            sample = round_.sample(
                ConversationRecord(messages=tuple(messages)), asked, spans, question_type="multi_turn", turns=str(len(item.turns))
            )
            round_.settle(sample, _defect(item, spans, round_))


def _defect(item: Conversation, spans: list[EvidenceSpan | None], round_: Round) -> Defect | None:
    earlier: list[str] = []
    for number, (turn, span) in enumerate(zip(item.turns, spans, strict=True), 1):
        evidence = [(turn.evidence, span)]
        defect = pair_defect(turn.question, turn.answer, evidence, round_.chunk.language, context=earlier, alone=number == 1)
        if defect is not None:
            return defect[0], f"turn {number}: {defect[1]}"
        if span is not None:
            earlier.append(span.quote)
    # Last: what is wrong with a turn says more than that there are too few.
    if len(item.turns) < FEWEST_TURNS:
        return "too_few_turns", f"{len(item.turns)} of at least {FEWEST_TURNS}"
    return None
