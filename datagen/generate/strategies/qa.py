"""``qa``: questions and answers an LLM writes about a passage, each with a verbatim quote that is checked before the row counts.

Enters: one chunk. Leaves: grounded samples whose evidence is located in the document, and everything else dropped with its
reason: those of ``defects``, of ``structured`` (``truncated``, ``unparseable``, ``schema_mismatch``), and ``request_failed``. Attempt ``k``
asks for another round of questions about the same passage. The only strategy with prompts of its own for the exam.

Source: prompts written for datagen; one passage to several question-answer pairs with quoted evidence as in R. Ushio et al., "An empirical
comparison of LM-based question and answer generation methods", Findings of ACL 2023 (end-to-end QAG).
"""

from typing import Literal, NamedTuple

from datagen.generate.defects import pair_defect
from datagen.generate.round import Asked, Defect, Round
from datagen.generate.writer import ItemList, Writer
from datagen.schemas.record import Frozen, question_answer
from datagen.schemas.sample import EvidenceSpan, Sample

TRAIN_PROMPT, EXAM_PROMPT = "qa/{language}.v1", "qa/exam_{language}.v1"


class QAItem(Frozen):
    """One item of an answer; evidence stands first, so that the model quotes before it writes."""

    evidence: str
    question: str
    answer: str
    question_type: Literal["factual", "procedural", "comparative", "why"]


class QAItems(ItemList):
    """A whole answer."""

    items: tuple[QAItem, ...]


class Pair(NamedTuple):
    """A grounded pair another strategy builds on: its item, its span, the sample it is, and the request it came from."""

    item: QAItem
    span: EvidenceSpan
    sample: Sample
    asked: Asked[QAItems]


class QA(Writer):
    """The strategy (see the module)."""

    name = "qa"
    prompts = (TRAIN_PROMPT, EXAM_PROMPT)
    forms = (QAItems,)
    rules = 2

    async def write(self, round_: Round) -> None:
        """Ask for one round of items; one request, two if the first answer does not fit the schema."""
        for pair in await ask_pairs(round_):
            round_.settle(pair.sample, None)


async def ask_pairs(round_: Round) -> list[Pair]:
    """Ask for pairs about the round's chunk and return the grounded ones; the others are dropped.

    Other strategies start from these: the request is that of ``qa``, so a run with both pays for it once.
    """
    asked = await round_.ask(EXAM_PROMPT if round_.purpose == "exam" else TRAIN_PROMPT, QAItems)
    if asked is None:
        return []
    pairs: list[Pair] = []
    for item in asked.value.items:
        span = round_.locate(item.evidence)
        sample = round_.sample(question_answer(item.question.strip(), item.answer.strip()), asked, [span], question_type=item.question_type)
        defect: Defect | None = pair_defect(item.question, item.answer, [(item.evidence, span)], round_.chunk.language)
        if defect is None and span is not None:
            pairs.append(Pair(item, span, sample, asked))
        else:
            round_.settle(sample, defect)
    return pairs
