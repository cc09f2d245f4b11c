"""``paraphrase``: accepted question-answer pairs said anew, so that a fact is met in more than one wording.

Starts from the pairs of ``qa`` (the same request, so a run with both pays once). The new question must ask for the same thing: every
number in it stands in the old one and the other way round; the new answer is checked against the old one's quote. Rows of one fact share
the ``fact`` tag. Reasons beside those of ``qa``: ``changed_number``, ``unchanged_question``, ``unknown_question_number``. Two requests
a round.

Source: Z. Allen-Zhu and Y. Li, "Physics of language models: Part 3.1", ICML 2024 (arXiv 2309.14316): facts are extracted only when met in
several wordings; question rephrasing as in L. Yu et al., "MetaMath", ICLR 2024 (arXiv 2309.12284).
"""

from datagen.generate.defects import pair_defect, question_defect
from datagen.generate.quantities import quantities, states
from datagen.generate.rouge import rouge_l
from datagen.generate.round import Defect, Round
from datagen.generate.strategies.qa import TRAIN_PROMPT, Pair, QAItems, ask_pairs
from datagen.generate.writer import ItemList, Writer
from datagen.schemas.record import Frozen, question_answer

PROMPT = "paraphrase/{language}.v1"
UNCHANGED = 0.95
"""ROUGE-L from which a question counts as the one it came from."""


class RephrasedItem(Frozen):
    """The pair of that number in other words."""

    number: int
    new_question: str
    new_answer: str


class RephrasedItems(ItemList):
    """A whole answer."""

    items: tuple[RephrasedItem, ...]


class Paraphrase(Writer):
    """The strategy (see the module)."""

    name = "paraphrase"
    prompts = (TRAIN_PROMPT, PROMPT)
    forms = (QAItems, RephrasedItems)
    requests_per_round = 2

    async def write(self, round_: Round) -> None:
        pairs = await ask_pairs(round_)
        if not pairs:
            return
        shown = [{"question": pair.item.question, "answer": pair.item.answer, "evidence": pair.span.quote} for pair in pairs]
        asked = await round_.ask(PROMPT, RephrasedItems, pairs=shown)
        if asked is None:
            return
        for item in asked.value.items:
            record = question_answer(item.new_question.strip(), item.new_answer.strip())
            if not 1 <= item.number <= len(pairs):
                defect: Defect = ("unknown_question_number", f"{item.number} of {len(pairs)}")
                round_.settle(round_.sample(record, asked, []), defect)
                continue
            base = pairs[item.number - 1]
            sample = round_.sample(record, asked, [base.span], parents=[base.sample.id], question_type=base.item.question_type)
            round_.settle(sample, _defect(item, base, round_))


def _defect(item: RephrasedItem, base: Pair, round_: Round) -> Defect | None:
    old, new = base.item.question, item.new_question
    if defect := question_defect(new, round_.chunk.language):
        return defect
    for one, other in ((new, old), (old, new)):
        for quantity in quantities(one):
            if not states(other, quantity):
                return "changed_number", f"'{quantity.text}' is in only one of the two questions"
    if (similarity := rouge_l(old, new)) >= UNCHANGED:
        return "unchanged_question", f"ROUGE-L {similarity:.2f} to: {old[:80]}"
    return pair_defect(new, item.new_answer, [(base.span.quote, base.span)], round_.chunk.language)
