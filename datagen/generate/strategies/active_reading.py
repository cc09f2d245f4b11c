"""``active_reading``: the model chooses ways to study a passage (restate, order in time, contrast, quiz, explain to a child ...), then
carries each out; a task and its result make a row.

The result may rest on several quotes; every number in it must stand in one of them. Reasons: ``defects`` and ``unknown_study_number``.
Two requests a round.

Source: J. Lin et al., "Learning facts at scale with active reading", 2025 (arXiv 2508.09494): strategies first, then their application.
"""

from datagen.generate.defects import pair_defect
from datagen.generate.round import Defect, Round
from datagen.generate.writer import ItemList, Writer
from datagen.schemas.record import Frozen, question_answer

PROMPT, PLAN_PROMPT = "active_reading/{language}.v1", "active_reading/plan_{language}.v1"


class StudyItem(Frozen):
    """One way to study the passage."""

    study: str
    purpose: str


class StudyItems(ItemList):
    """A whole answer of the first step."""

    items: tuple[StudyItem, ...]


class StudiedItem(Frozen):
    """The way of that number carried out: what it rests on, the task as a user would put it, and the result."""

    number: int
    quotes: tuple[str, ...]
    question: str
    answer: str


class StudiedItems(ItemList):
    """A whole answer of the second step."""

    items: tuple[StudiedItem, ...]


class ActiveReading(Writer):
    """The strategy (see the module)."""

    name = "active_reading"
    prompts = (PROMPT, PLAN_PROMPT)
    forms = (StudiedItems, StudyItems)
    requests_per_round = 2

    async def write(self, round_: Round) -> None:
        planned = await round_.ask(PLAN_PROMPT, StudyItems)
        studies = [item for item in planned.value.items if item.study.strip()][: round_.items] if planned else []
        if not studies:
            return
        asked = await round_.ask(PROMPT, StudiedItems, studies=[f"{s.study.strip()}：{s.purpose.strip()}" for s in studies])
        if asked is None:
            return
        for item in asked.value.items:
            spans = [round_.locate(quote) for quote in item.quotes]
            defect: Defect | None = pair_defect(
                item.question, item.answer, list(zip(item.quotes, spans, strict=True)), round_.chunk.language
            )
            study = studies[item.number - 1].study.strip() if 1 <= item.number <= len(studies) else ""
            if not study:
                defect = ("unknown_study_number", f"{item.number} of {len(studies)}")
            record = question_answer(item.question.strip(), item.answer.strip())
            round_.settle(round_.sample(record, asked, spans, question_type="study", study=study), defect)
