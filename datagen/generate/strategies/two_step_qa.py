"""``two_step_qa``: the model first asks questions about a passage, then answers them from it, as a reader who sees both would.

A question written without its answer in view is not bent towards a sentence; an answer written for a given question quotes what carries
it, or says that the passage does not. Two requests a round, more with ``reasoning: keep`` (one a question). Reasons: ``answering``.

Source: X. Zhang and Q. Yang, "Self-QA: Unsupervised knowledge guided language model alignment", 2023 (arXiv 2305.11952).
"""

from typing import Literal

from datagen.generate.answering import ANSWER_PROMPT, AnswerItems, Question, answer_questions
from datagen.generate.defects import question_defect
from datagen.generate.round import Round
from datagen.generate.writer import ItemList, Writer
from datagen.schemas.record import Frozen, question_answer

QUESTIONS_PROMPT = "two_step_qa/{language}.v1"


class AskedQuestion(Frozen):
    """One question."""

    question: str
    question_type: Literal["factual", "procedural", "comparative", "why"]


class AskedQuestions(ItemList):
    """A whole answer of the first step."""

    items: tuple[AskedQuestion, ...]


class TwoStepQA(Writer):
    """The strategy (see the module)."""

    name = "two_step_qa"
    prompts = (QUESTIONS_PROMPT, ANSWER_PROMPT)
    forms = (AskedQuestions, AnswerItems)
    requests_per_round = 2
    answers_apart = True

    async def write(self, round_: Round) -> None:
        asked = await round_.ask(QUESTIONS_PROMPT, AskedQuestions)
        if asked is None:
            return
        questions: list[Question] = []
        for item in asked.value.items:
            defect = question_defect(item.question, round_.chunk.language)
            if defect is None:
                questions.append(Question(item.question.strip(), item.question_type))
            else:
                round_.settle(round_.sample(question_answer(item.question.strip(), ""), asked, []), defect)
        await answer_questions(round_, questions, keep_reasoning=self.keep_reasoning)
