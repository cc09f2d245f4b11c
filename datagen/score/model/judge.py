"""An LLM as judge: a rubric in ``prompts/judge``, one request a row, grades from 1 to 5 with the reason first.

The judge sees the question, the answer and, where the row has evidence, the passages it rests on: a judge without the source can only grade
style. Grades of one model are opinions: they order a review. Rows the judge cannot be asked about, or answers badly, have no grade, and
``failures`` says why.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from datagen.clients import ChatMessage, ChatRequest, Client, Parameters, RequestFailed, parse_spec
from datagen.generate.prompts import load_prompt
from datagen.generate.structured import ask, strict_schema
from datagen.hashing import sha256_hex, unit_interval
from datagen.schemas.record import Frozen, completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.text import detect_language

if TYPE_CHECKING:
    import polars as pl

PROMPT_VERSION = 1
_LONGEST = 6000


class Grade(Frozen):
    """The judge's answer; the reason stands first, so that grades follow from it."""

    reason: str
    correct: int = Field(ge=1, le=5)
    complete: int = Field(ge=1, le=5)
    clear: int = Field(ge=1, le=5)

    @property
    def overall(self) -> float:
        """The lowest of the three: a clear wrong answer is a wrong answer."""
        return float(min(self.correct, self.complete, self.clear))


class Judge:
    """Grades rows (a row model of :func:`datagen.score.audit`).

    Args:
        client: completes the requests; its store makes a second audit free.
        model: the model's spec, as given to ``open_client``.
        rows: how many rows to ask about at most; of more, a fixed random choice.
        library: folder given with ``--library``, searched for ``prompts/judge`` first.
    """

    def __init__(self, client: Client, *, model: str, rows: int = 100, concurrency: int = 8, library: Path | None = None) -> None:
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
            answer = await ask(self._client, self._request(sample), Grade)
        except RequestFailed as failure:
            self.failures[i] = failure.message
            return
        if answer.value is None:
            self.failures[i] = answer.defect.detail if answer.defect else "no grade"
        else:
            self.grades[i] = answer.value

    def _request(self, sample: Sample) -> ChatRequest:
        question, answer = prompt_text(sample.record)[:_LONGEST], completion_text(sample.record)[:_LONGEST]
        evidence = "\n\n".join(span.quote for span in sample.provenance.evidence)[:_LONGEST]
        language = detect_language(f"{question}\n{answer}")
        system, user = load_prompt(f"judge/{language}.v{PROMPT_VERSION}", self._library).render(
            question=question, answer=answer, evidence=evidence, mark=sha256_hex(sample.id)[:8]
        )
        return ChatRequest(
            provider=self._spec.provider,
            base_url=self._spec.base_url,
            model=self._spec.model,
            messages=(ChatMessage("system", system), ChatMessage("user", user)),
            parameters=Parameters(temperature=0.0, max_tokens=600),
            schema=strict_schema(Grade),
            schema_name="grade",
        )
