"""``evolve``: grounded questions made harder (a condition more, a concrete case, two steps), then answered again from the passage.

Starts from the pairs of ``qa`` (the same request, so a run with both pays once). The old answer is not reused: a harder question needs its
own, with its own quote. Reasons beside those of ``answering`` and ``qa``: ``unchanged_question``, ``unknown_question_number``. Three
requests a round.

Source: C. Xu et al., "WizardLM: Empowering large language models to follow complex instructions", ICLR 2024 (arXiv 2304.12244).
"""

from typing import Literal

from datagen.generate.answering import ANSWER_PROMPT, AnswerItems, Question, answer_questions
from datagen.generate.defects import question_defect
from datagen.generate.rouge import rouge_l
from datagen.generate.round import Round
from datagen.generate.strategies.qa import TRAIN_PROMPT, QAItems, ask_pairs
from datagen.generate.writer import ItemList, Writer
from datagen.schemas.record import Frozen, question_answer

PROMPT = "evolve/{language}.v1"
UNCHANGED = 0.9
"""ROUGE-L from which a question counts as the one it came from."""


class HarderItem(Frozen):
    """The question of that number, made harder, and how."""

    number: int
    evolution: Literal["constraint", "deepen", "concrete", "steps"]
    harder_question: str


class HarderItems(ItemList):
    """A whole answer."""

    items: tuple[HarderItem, ...]


class Evolve(Writer):
    """The strategy (see the module)."""

    name = "evolve"
    prompts = (TRAIN_PROMPT, PROMPT, ANSWER_PROMPT)
    forms = (QAItems, HarderItems, AnswerItems)
    requests_per_round = 3
    answers_apart = True

    async def write(self, round_: Round) -> None:
        pairs = await ask_pairs(round_)
        if not pairs:
            return
        asked = await round_.ask(PROMPT, HarderItems, questions=[pair.item.question for pair in pairs])
        if asked is None:
            return
        questions: list[Question] = []
        for item in asked.value.items:
            text = item.harder_question.strip()
            base = pairs[item.number - 1] if 1 <= item.number <= len(pairs) else None
            defect = question_defect(text, round_.chunk.language)
            if base is None:
                defect = ("unknown_question_number", f"{item.number} of {len(pairs)}")
            elif defect is None and (similarity := rouge_l(text, base.item.question)) >= UNCHANGED:
                defect = ("unchanged_question", f"ROUGE-L {similarity:.2f} to: {base.item.question[:80]}")
            if defect is None and base is not None:
                tags = {"evolution": item.evolution}
                questions.append(Question(text, base.item.question_type, (base.sample.id,), tags))
            else:
                round_.settle(round_.sample(question_answer(text, ""), asked, []), defect)
        await answer_questions(round_, questions, keep_reasoning=self.keep_reasoning)
