"""``back_translation``: for a passage that people wrote, the question it would answer; the answer is the document, word for word.

Grounded by construction: the answer is cut out of the document where the model's quote was found, not taken from the model. Reasons beside
those of ``defects``: ``evidence_too_short`` (a few words are no answer). One request a round.

Source: X. Li et al., "Self-alignment with instruction backtranslation", ICLR 2024 (arXiv 2308.06259).
"""

from datagen.generate.defects import pair_defect
from datagen.generate.round import Round
from datagen.generate.writer import ItemList, Writer
from datagen.schemas.record import Frozen, question_answer
from datagen.text import units

PROMPT = "back_translation/{language}.v1"
SHORTEST = 6
"""Units (Chinese characters, words) of the shortest passage that is an answer: "Call extension 8042 at any hour." is a whole one."""


class PassageItem(Frozen):
    """One item: the passage, copied, and the question it answers."""

    evidence: str
    question: str


class PassageItems(ItemList):
    """A whole answer."""

    items: tuple[PassageItem, ...]


class BackTranslation(Writer):
    """The strategy (see the module)."""

    name = "back_translation"
    prompts = (PROMPT,)
    forms = (PassageItems,)
    rules = 2

    async def write(self, round_: Round) -> None:
        asked = await round_.ask(PROMPT, PassageItems)
        if asked is None:
            return
        for item in asked.value.items:
            span = round_.locate(item.evidence)
            answer = span.quote if span else item.evidence.strip()
            defect = pair_defect(item.question, answer, [(item.evidence, span)], round_.chunk.language)
            if defect is None and len(units(answer)) < SHORTEST:
                defect = ("evidence_too_short", f"{len(units(answer))} of at least {SHORTEST} words: {answer}")
            sample = round_.sample(question_answer(item.question.strip(), answer), asked, [span], question_type="passage")
            round_.settle(sample, defect)
