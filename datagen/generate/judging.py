"""A strategy whose rows a judge lets through: an LLM reads each grounded row with its source and grades it; what is graded low is dropped.

Deterministic checks come first, the judge sees only what passed them. A pair must win in both orders. A label "bad" must be graded wrong,
too. Not judged: texts, and rows of ``unanswerable`` (the rubric grades refusals down, and their check is a request of its own).

Reasons: ``judged_incorrect``, ``judged_incomplete``, ``judged_unclear`` (the lowest grade below the least wanted; the first of equals),
``judge_prefers_rejected``, ``judge_undecided`` (the order decided), ``judged_correct`` (a label "bad" on a right answer), ``judge_failed``.
The detail is the judge's own reason. Grades stay with the row as scores.
"""

import asyncio
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel

from datagen.clients import ChatRequest, ChatResponse, Client, RequestFailed, parse_spec
from datagen.generate.candidate import Candidates
from datagen.generate.grading import Grade, Preferred, grade_request, pair_request
from datagen.generate.prompts import load_prompt
from datagen.generate.strategy import Purpose, Strategy
from datagen.generate.structured import ask
from datagen.hashing import fingerprint
from datagen.library import Roots
from datagen.schemas.document import Chunk, Document
from datagen.schemas.record import FeedbackRecord, PreferenceRecord, TextRecord
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped

T = TypeVar("T", bound=BaseModel)
PROMPTS = ("judge/zh.v1", "judge/en.v1", "judge/pair_zh.v1", "judge/pair_en.v1")
_NAMES = {"correct": "judged_incorrect", "complete": "judged_incomplete", "clear": "judged_unclear"}


@dataclass(slots=True)
class _Bill:
    """Responses the judge gave for one batch."""

    responses: list[ChatResponse] = field(default_factory=list[ChatResponse])


class Judged:
    """A strategy over another one.

    Args:
        strategy: writes the rows.
        client: the judge's; its store makes a second run free.
        model: the judge's model spec.
        least: lowest grade a row may have in any point.
        library: folders searched for ``prompts/judge`` before the built-in library.
    """

    def __init__(self, strategy: Strategy, client: Client, *, model: str, least: int = 4, library: Roots = ()) -> None:
        self._strategy = strategy
        self._client = client
        self._spec = parse_spec(model)
        self._least = least
        self._library = library

    @property
    def name(self) -> str:
        """The name of the strategy that writes the rows."""
        return self._strategy.name

    def fingerprint(self) -> str:
        """Return a hash of the strategy, the judge's prompts and model, and the least grade."""
        prompts = [load_prompt(p, self._library).sha256 for p in PROMPTS]
        return fingerprint([self._strategy.fingerprint(), prompts, self._spec.provider, self._spec.base_url, self._spec.model, self._least])

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        """Return the strategy's rows that the judge lets through, in their order.

        Raises:
            ProviderError: no request can be served.
        """
        base = await self._strategy.propose(document, chunk, purpose=purpose, attempt=attempt)
        bill = _Bill()
        verdicts = await asyncio.gather(*(self._verdict(sample, bill) for sample in base.samples))
        return Candidates(
            [v for v in verdicts if isinstance(v, Sample)],
            [*base.dropped, *(v for v in verdicts if isinstance(v, Dropped))],
            requests=base.requests + len(bill.responses),
            tokens_in=base.tokens_in + sum(r.tokens_in for r in bill.responses),
            tokens_out=base.tokens_out + sum(r.tokens_out for r in bill.responses),
        )

    async def _verdict(self, sample: Sample, bill: _Bill) -> Sample | Dropped:
        record = sample.record
        if isinstance(record, TextRecord) or sample.tags.get("question_type") == "unanswerable":
            return sample
        try:
            if isinstance(record, PreferenceRecord):
                return await self._compare(sample, record.chosen.content, record.rejected.content, bill)
            return await self._grade(sample, bill)
        except RequestFailed as failure:
            return Dropped(sample, "judge_failed", failure.message)

    async def _grade(self, sample: Sample, bill: _Bill) -> Sample | Dropped:
        grade = await self._ask(grade_request(sample, self._spec, self._library), Grade, bill)
        if isinstance(grade, str):
            return Dropped(sample, "judge_failed", grade)
        if isinstance(sample.record, FeedbackRecord) and not sample.record.label:
            return _scored(sample, judge=grade.overall) if grade.correct < self._least else Dropped(sample, "judged_correct", grade.reason)
        if grade.overall >= self._least:
            return _scored(sample, judge=grade.overall)
        worst = min(_NAMES, key=lambda point: getattr(grade, point))
        return Dropped(sample, _NAMES[worst], f"{worst} {getattr(grade, worst)} of 5: {grade.reason}")

    async def _compare(self, sample: Sample, chosen: str, rejected: str, bill: _Bill) -> Sample | Dropped:
        requests = [pair_request(sample, *pair, self._spec, self._library) for pair in ((chosen, rejected), (rejected, chosen))]
        ahead, behind = [await self._ask(request, Preferred, bill) for request in requests]
        if isinstance(ahead, str) or isinstance(behind, str):
            return Dropped(sample, "judge_failed", ahead if isinstance(ahead, str) else str(behind))
        match ahead.better, behind.better:
            case "first", "second":
                return _scored(sample, judge=5.0)
            case "second", "first":
                return Dropped(sample, "judge_prefers_rejected", ahead.reason)
            case _:
                return Dropped(sample, "judge_undecided", f"chosen first: {ahead.better}; rejected first: {behind.better}. {ahead.reason}")

    async def _ask(self, request: ChatRequest, form: type[T], bill: _Bill) -> T | str:
        """Return the judge's answer, or why there is none."""
        answer = await ask(self._client, request, form)
        bill.responses.extend(answer.responses)
        return answer.value if answer.value is not None else answer.defect.detail if answer.defect else "no answer"


def _scored(sample: Sample, **scores: float) -> Sample:
    return sample.model_copy(update={"scores": {**sample.scores, **scores}})
