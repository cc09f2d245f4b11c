"""``self_instruct``: tasks of many kinds about a passage, each unlike every task of a growing pool.

The pool starts with seed tasks (``prompts/self_instruct/seeds_*``, some of them shown as examples, a fixed choice by chunk and attempt)
and grows by the tasks of earlier attempts on the chunk; those are read again from the response store, so an attempt is a fixed function
of the chunk and its number. A task whose ROUGE-L (on characters in Chinese) to a pool task reaches 0.7 is dropped, ``similar_to_pool``.
One request a round.

Source: Y. Wang et al., "Self-Instruct: Aligning language models with self-generated instructions", ACL 2023 (arXiv 2212.10560): pool,
eight examples, ROUGE-L below 0.7.
"""

from typing import Literal, Unpack

from datagen.clients import Client
from datagen.generate.defects import pair_defect
from datagen.generate.prompts import load_prompt
from datagen.generate.rouge import most_similar
from datagen.generate.round import Round
from datagen.generate.writer import Frame, ItemList, Writer
from datagen.hashing import unit_interval
from datagen.jsonl import JsonObject
from datagen.schemas.record import Frozen, question_answer

PROMPT, SEEDS = "self_instruct/{language}.v1", "self_instruct/seeds_{language}.v1"
EXAMPLES = 8


class TaskItem(Frozen):
    """One task with its result."""

    evidence: str
    question: str
    answer: str
    question_type: Literal["list", "explain", "compare", "rewrite", "classify", "plan", "advise"]


class TaskItems(ItemList):
    """A whole answer."""

    items: tuple[TaskItem, ...]


class SelfInstruct(Writer):
    """The strategy (see the module). ``similar``: a task must stay below this ROUGE-L to every task of the pool."""

    name = "self_instruct"
    prompts = (PROMPT, SEEDS)
    forms = (TaskItems,)

    def __init__(self, client: Client, *, similar: float = 0.7, **frame: Unpack[Frame]) -> None:
        super().__init__(client, **frame)
        self._similar = similar

    def options(self) -> JsonObject:
        return {"similar": self._similar}

    async def write(self, round_: Round) -> None:
        _, seeds = load_prompt(SEEDS.format(language=round_.chunk.language), round_.desk.library).render()
        pool = [line.lstrip("- ").strip() for line in seeds.splitlines() if line.strip()]
        for attempt in range(round_.attempt):
            # Paid for when that attempt was made; here it only tells what the pool held.
            earlier = Round(round_.desk, round_.document, round_.chunk, round_.purpose, attempt, keep_reasoning=round_.keep_reasoning)
            await self._attempt(earlier, pool)
        await self._attempt(round_, pool)

    async def _attempt(self, round_: Round, pool: list[str]) -> None:
        examples = sorted(pool, key=lambda task: unit_interval(f"{round_.chunk.id}:{round_.attempt}:{task}"))[:EXAMPLES]
        asked = await round_.ask(PROMPT, TaskItems, examples=examples)
        if asked is None:
            return
        for item in asked.value.items:
            question = item.question.strip()
            span = round_.locate(item.evidence)
            defect = pair_defect(question, item.answer, [(item.evidence, span)], round_.chunk.language)
            similarity, other = most_similar(question, pool)
            if defect is None and similarity >= self._similar:
                defect = ("similar_to_pool", f"ROUGE-L {similarity:.2f} to: {other[:80]}")
            sample = round_.sample(question_answer(question, item.answer.strip()), asked, [span], question_type=item.question_type)
            if round_.settle(sample, defect):
                pool.append(question)
