"""``unanswerable``: questions a reader might well ask that the document does not answer, and answers that say so.

Teaches a model what it does not know. A second request tries to answer each question from the chunk and the most related other passages
of the document; one that can be answered with a quote is dropped. Reasons beside those of ``defects``: ``answerable_question``,
``not_a_refusal``, ``unverified_question`` (the check gave no answer about it). Two requests a round.

Source: P. Rajpurkar et al., "Know what you don't know: Unanswerable questions for SQuAD", ACL 2018 (arXiv 1806.03822); refusals as rows
after H. Zhang et al., "R-Tuning: Instructing large language models to say 'I don't know'", NAACL 2024 (arXiv 2311.09677).
"""

import re

from datagen.generate.answering import ANSWER_PROMPT, AnswerItem, AnswerItems, by_number
from datagen.generate.defects import pair_defect
from datagen.generate.related import related_passages
from datagen.generate.round import Asked, Defect, Round
from datagen.generate.writer import ItemList, Writer
from datagen.schemas.record import Frozen, question_answer

PROMPT = "unanswerable/{language}.v1"
PASSAGES_CHECKED = 3
"""Passages the check reads, the chunk among them."""
_REFUSAL = re.compile(
    r"(?i)(?:没有|未曾?|并未|尚未|没)(?:说明|提到|提及|规定|写明|注明|提供|给出|涉及|公布|明确|找到)|无法(?:确定|回答|得知|确认|判断|提供)|暂无|不清楚"
    r"|\b(?:do|does|did|is|are|was|were|has|have)(?:\s+not|n't)\s+(?:\w+\s+)?(?:say|state|specif|mention|cover|giv|list|provid|includ|describ|address)"
    r"|\b(?:no|not any)\s+(?:information|mention|details?|rule)"
    r"|\bcannot\s+(?:say|tell|confirm|answer)|\bdon'?t\s+know\b|\bnot\s+(?:able|sure)\b"
)


class UnansweredItem(Frozen):
    """One item: what is missing, the nearest thing the passage does say, the question, and the answer that says it is not there."""

    missing: str
    evidence: str
    question: str
    answer: str


class UnansweredItems(ItemList):
    """A whole answer."""

    items: tuple[UnansweredItem, ...]


class Unanswerable(Writer):
    """The strategy (see the module)."""

    name = "unanswerable"
    prompts = (PROMPT, ANSWER_PROMPT)
    forms = (UnansweredItems, AnswerItems)
    requests_per_round = 2

    async def write(self, round_: Round) -> None:
        asked = await round_.ask(PROMPT, UnansweredItems)
        if asked is None:
            return
        plausible: list[UnansweredItem] = []
        for item in asked.value.items:
            defect = _defect(item, round_)
            if defect is None:
                plausible.append(item)
            else:
                self._settle(round_, asked, item, defect)
        for item, defect in await self._check(round_, plausible):
            self._settle(round_, asked, item, defect)

    async def _check(self, round_: Round, items: list[UnansweredItem]) -> list[tuple[UnansweredItem, Defect | None]]:
        """Try to answer the questions from more of the document than the model saw when it wrote them."""
        if not items:
            return []
        others = related_passages(round_.document, round_.chunk, max_tokens=max(128, round_.chunk.n_tokens))[: PASSAGES_CHECKED - 1]
        passages = [round_.chunk, *others]
        text = "\n\n".join(p.text for p in passages)
        tried = await round_.ask(ANSWER_PROMPT, AnswerItems, passage=text, questions=[item.question for item in items])
        if tried is None:
            return [(item, ("unverified_question", "whether the document answers it could not be checked")) for item in items]
        found, _ = by_number(tried, len(items))
        outcomes: list[tuple[UnansweredItem, Defect | None]] = []
        for number, item in enumerate(items, 1):
            answer = found.get(number)
            if answer is None:
                outcomes.append((item, ("unverified_question", "the check left it out")))
                continue
            outcomes.append((item, _answered(answer)))
        return outcomes

    def _settle(self, round_: Round, asked: Asked[UnansweredItems], item: UnansweredItem, defect: Defect | None) -> None:
        record = question_answer(item.question.strip(), item.answer.strip())
        round_.settle(round_.sample(record, asked, [round_.locate(item.evidence)], question_type="unanswerable"), defect)


def _answered(answer: AnswerItem) -> Defect | None:
    if not answer.answer.strip() or _REFUSAL.search(answer.answer):
        return None
    return "answerable_question", f"the document says: {answer.evidence[:80] or answer.answer[:80]}"


def _defect(item: UnansweredItem, round_: Round) -> Defect | None:
    evidence = [(item.evidence, round_.locate(item.evidence))]
    defect = pair_defect(item.question, item.answer, evidence, round_.chunk.language, context=[item.question])
    if defect is None and not _REFUSAL.search(item.answer):
        return "not_a_refusal", f"the answer does not say that the document is silent: {item.answer[:80]}"
    return defect
