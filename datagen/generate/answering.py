"""Answering given questions from a passage: the second step of strategies that write questions first.

Reasons beside those of ``defects``: ``unanswered_question`` (the model found no answer in the passage), ``unknown_question_number`` (an
answer to a question nobody asked), ``no_reasoning`` (reasoning was to be kept and there is none).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from datagen.generate.defects import pair_defect
from datagen.generate.reasoning import with_reasoning
from datagen.generate.round import Asked, Defect, Round
from datagen.generate.structured import extract_reasoning
from datagen.generate.writer import ItemList
from datagen.schemas.record import Frozen, question_answer

ANSWER_PROMPT = "answer/{language}.v1"


class AnswerItem(Frozen):
    """The answer to the question of that number; both texts are empty where the passage holds none."""

    number: int
    evidence: str
    answer: str


class AnswerItems(ItemList):
    """A whole answer."""

    items: tuple[AnswerItem, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question to answer, with the tags and parents its row will have."""

    text: str
    question_type: str = ""
    parents: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


async def answer_questions(round_: Round, questions: Sequence[Question], *, keep_reasoning: bool = False) -> None:
    """Answer questions from the round's passage and settle a row for each.

    One request for all of them; with ``keep_reasoning`` one each, and the model's reasoning goes before the answer as ``<think>``.
    """
    groups = [[question] for question in questions] if keep_reasoning else [list(questions)] if questions else []
    for group in groups:
        asked = await round_.ask(ANSWER_PROMPT, AnswerItems, questions=[q.text for q in group])
        if asked is not None:
            _settle(round_, group, asked, keep_reasoning=keep_reasoning)


def by_number(asked: Asked[AnswerItems], n: int) -> tuple[dict[int, AnswerItem], list[AnswerItem]]:
    """Return the answers to questions 1 to ``n`` (the first of each counts), and those that answer none of them."""
    found: dict[int, AnswerItem] = {}
    stray: list[AnswerItem] = []
    for item in asked.value.items:
        if 1 <= item.number <= n and item.number not in found:
            found[item.number] = item
        else:
            stray.append(item)
    return found, stray


def _settle(round_: Round, questions: Sequence[Question], asked: Asked[AnswerItems], *, keep_reasoning: bool) -> None:
    found, stray = by_number(asked, len(questions))
    reasoning = extract_reasoning(asked.text) if keep_reasoning else ""
    for number, question in enumerate(questions, 1):
        item = found.get(number) or AnswerItem(number=number, evidence="", answer="")
        span = round_.locate(item.evidence)
        text = item.answer.strip()
        defect: Defect | None
        if not text and not item.evidence.strip():
            defect = ("unanswered_question", "the model found no answer in the passage")
        else:
            defect = pair_defect(question.text, text, [(item.evidence, span)], round_.chunk.language)
        if keep_reasoning and defect is None and not reasoning:
            defect = ("no_reasoning", "the model gave an answer without reasoning")
        record = with_reasoning(question_answer(question.text.strip(), text), reasoning)
        sample = round_.sample(record, asked, [span], parents=question.parents, question_type=question.question_type, **question.tags)
        round_.settle(sample, defect)
    for item in stray:
        sample = round_.sample(question_answer("", item.answer.strip()), asked, [round_.locate(item.evidence)])
        round_.settle(sample, ("unknown_question_number", f"{item.number} of {len(questions)}"))
