"""``multi_chunk``: questions that need two passages of one document, with a quote from each.

The chunk's partner is another passage of the same document, the most related first, the next one with each attempt; a document of one
passage yields nothing. Passages of other documents are never used: they may be held out for the exam. Reasons beside those of ``defects``:
``evidence_from_one_passage``. One request a round.

Source: L. Pan et al., "Unsupervised multi-hop question answering by question generation", NAACL 2021 (arXiv 2010.12623).
"""

from typing import Literal, Unpack

from datagen.clients import Client
from datagen.generate.defects import pair_defect
from datagen.generate.related import related_passages
from datagen.generate.round import Defect, Round
from datagen.generate.writer import Frame, ItemList, Writer
from datagen.jsonl import JsonObject
from datagen.schemas.record import Frozen, question_answer

PROMPT = "multi_chunk/{language}.v1"


class TwoPassageItem(Frozen):
    """One item: the quote from either passage, then what needs both."""

    evidence: str
    other_evidence: str
    question: str
    answer: str
    question_type: Literal["comparative", "procedural", "why", "combined"]


class TwoPassageItems(ItemList):
    """A whole answer."""

    items: tuple[TwoPassageItem, ...]


class MultiChunk(Writer):
    """The strategy (see the module). ``passage_tokens``: budget of the second passage."""

    name = "multi_chunk"
    prompts = (PROMPT,)
    forms = (TwoPassageItems,)

    def __init__(self, client: Client, *, passage_tokens: int = 512, **frame: Unpack[Frame]) -> None:
        super().__init__(client, **frame)
        self._passage_tokens = passage_tokens

    def options(self) -> JsonObject:
        return {"passage_tokens": self._passage_tokens}

    async def write(self, round_: Round) -> None:
        partners = related_passages(round_.document, round_.chunk, max_tokens=self._passage_tokens)
        number = round_.attempt // self._rounds
        if number >= len(partners):
            return
        other = partners[number]
        headings = " > ".join(other.heading_path)
        asked = await round_.ask(PROMPT, TwoPassageItems, other_passage=other.text, other_headings=headings, other_id=other.id)
        if asked is None:
            return
        for item in asked.value.items:
            span, other_span = round_.locate(item.evidence), round_.locate(item.other_evidence, other)
            defect: Defect | None = None
            for quote, missing, elsewhere in ((item.evidence, span, other), (item.other_evidence, other_span, round_.chunk)):
                if missing is None and defect is None and round_.locate(quote, elsewhere) is not None:
                    defect = ("evidence_from_one_passage", f"both quotes stand in one passage: {quote[:80]}")
            evidence = [(item.evidence, span), (item.other_evidence, other_span)]
            defect = defect or pair_defect(item.question, item.answer, evidence, round_.chunk.language)
            record = question_answer(item.question.strip(), item.answer.strip())
            round_.settle(round_.sample(record, asked, [span, other_span], question_type=item.question_type), defect)
