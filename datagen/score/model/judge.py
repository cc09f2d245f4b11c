"""An LLM as judge (``generate/grading.py``): a rubric in ``prompts/judge``, one request a row, grades from 1 to 5 with the reason first.

Grades of one model are opinions: they order a review. Rows the judge cannot be asked about, or answers badly, have no grade, and
``failures`` says why.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from datagen.clients import Client, RequestFailed, parse_spec
from datagen.generate.grading import Grade, grade_request
from datagen.generate.structured import ask
from datagen.hashing import unit_interval
from datagen.library import Roots
from datagen.schemas.record import completion_text
from datagen.schemas.sample import Sample

if TYPE_CHECKING:
    import polars as pl


class Judge:
    """Grades rows (a row model of :func:`datagen.score.audit`).

    Args:
        client: completes the requests; its store makes a second audit free.
        model: the model's spec, as given to ``open_client``.
        rows: how many rows to ask about at most; of more, a fixed random choice.
        library: folders searched for ``prompts/judge`` before the built-in library.
    """

    def __init__(self, client: Client, *, model: str, rows: int = 100, concurrency: int = 8, library: Roots = ()) -> None:
        self._client = client
        self._spec = parse_spec(model)
        self._rows = rows
        self._concurrency = concurrency
        self._library = library
        self.grades: dict[int, Grade] = {}
        self.failures: dict[int, str] = {}

    def score(self, samples: Sequence[Sample]) -> "pl.DataFrame":
        """Return ``judge``, ``judge_correct``, ``judge_complete``, ``judge_clear``: float64, NaN for rows without a grade.

        Raises:
            ProviderError: no request can be served.
        """
        import polars as pl

        able = [i for i, s in enumerate(samples) if completion_text(s.record).strip() and s.record.kind != "text"]
        chosen = sorted(sorted(able, key=lambda i: (unit_interval(f"judge:{samples[i].id}"), i))[: self._rows])
        asyncio.run(self._all(samples, chosen))
        columns = {"judge": "overall", "judge_correct": "correct", "judge_complete": "complete", "judge_clear": "clear"}
        graded = [self.grades.get(i) for i in range(len(samples))]
        return pl.DataFrame(
            {name: [float(getattr(g, part)) if g else float("nan") for g in graded] for name, part in columns.items()},
            schema=dict.fromkeys(columns, pl.Float64),
        )

    async def _all(self, samples: Sequence[Sample], chosen: Sequence[int]) -> None:
        gate = asyncio.Semaphore(self._concurrency)

        async def one(i: int) -> None:
            async with gate:
                await self._one(i, samples[i])

        try:
            async with asyncio.TaskGroup() as group:
                for i in chosen:
                    group.create_task(one(i))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        finally:
            await self._client.aclose()

    async def _one(self, i: int, sample: Sample) -> None:
        try:
            answer = await ask(self._client, grade_request(sample, self._spec, self._library), Grade)
        except RequestFailed as failure:
            self.failures[i] = failure.message
            return
        if answer.value is None:
            self.failures[i] = answer.defect.detail if answer.defect else "no grade"
        else:
            self.grades[i] = answer.value
