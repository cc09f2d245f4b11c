"""Run generation strategies until exactly the wanted number of rows is accepted.

Rows are examined one at a time in a fixed order (see ``plan``): the strategy that is furthest behind its weight takes the
next turn, documents take turns within it. So a larger target gives a superset, whatever the concurrency and however fast
responses come back. A row is accepted unless it repeats one that is there or the ``refuse`` callback names a defect.
Balance, asserted: ``proposed == accepted + dropped``, where proposed counts rows examined in this call and rows a
strategy itself reported as dropped.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from datagen.clients.budget import BudgetExhausted
from datagen.clients.collecting import rare_collections
from datagen.errors import UsageError
from datagen.generate.candidate import Candidates
from datagen.generate.lane import Lane
from datagen.generate.plan import ROWS_PER_VISIT
from datagen.generate.strategy import Purpose, Strategy
from datagen.jsonl import JsonObject
from datagen.schemas.document import Chunk, Document, Language
from datagen.schemas.record import ConversationRecord, FeedbackRecord, PreferenceRecord, completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped, StageResult
from datagen.text import fold

Refuse = Callable[[Sample], tuple[str, str] | None]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a generation run stands. ``accepted`` counts towards ``target`` and includes the ``existing`` rows that were there before;
    ``pace`` holds the mean seconds a strategy takes for a passage, waiting for its turn not counted."""

    accepted: int
    target: int
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict[str, int])
    existing: int = 0
    pace: Mapping[str, float] = field(default_factory=dict[str, float])


async def generate(
    documents: Sequence[Document],
    chunks: Sequence[Chunk],
    strategies: Sequence[tuple[Strategy, float]],
    *,
    target: int,
    purpose: Purpose,
    refuse: Refuse = lambda sample: None,
    existing: Sequence[Sample] = (),
    persona: Mapping[Language, str] | None = None,
    max_attempts: int = 3,
    concurrency: int = 8,
    on_progress: Callable[[Progress], None] | None = None,
) -> StageResult:
    """Generate until ``target`` rows are kept, ``existing`` rows included, or nothing more can be had.

    Args:
        documents: where chunks come from; chunks of other documents are not used.
        chunks: passages, in any order: the plan sorts them by a stable hash.
        strategies: pairs of strategy and weight; a strategy gets about its share of the rows, more when another runs dry.
        target: number of rows to end with. Existing rows are never taken out, also if they are more than this.
        purpose: ``train`` or ``exam``; strategies phrase questions differently for the two.
        refuse: returns ``(reason, detail)`` for a row to drop. Called once for each row that is new and wanted: None
            means that the row is accepted now, so the callback may remember it (an index of near duplicates does).
        existing: rows of an earlier run over the same inputs; they come first, in their order.
        persona: constant instruction for each language (row style ``persona``); a language without one, or None, gives
            row style ``task``.
        max_attempts: top-up rounds over each chunk.
        concurrency: requests under way at once. Never more are sent ahead than rows are missing.
        on_progress: called after every turn.

    Returns:
        ``kept``: existing rows, then new ones in acceptance order; ``dropped`` with reasons; ``stats`` with target, chunks, requests,
        responses, proposed, accepted (new rows), yield (accepted over proposed), already_kept, held_back (rows of opened batches not
        needed), reasons, tokens_in, tokens_out, by_strategy, shortfall (rows missing at the end), stopped (why the run ended early, ''
        if it did not: a budget that is used up ends it with everything kept), and for preferences length_ratio (rejected over chosen:
        least, median, most).

    Raises:
        UsageError: no strategy with a positive weight, or a negative target.
        Exception: what a strategy raises; other requests under way are cancelled.
    """
    if target < 0 or not any(weight > 0 for _, weight in strategies):
        raise UsageError(
            f"generate needs a target of at least 0 (got {target}) and a strategy with a positive weight (got {len(strategies)})",
            hint="give at least one strategy a weight above 0",
        )
    run = _Run(target, refuse, existing, persona or {})
    gate = asyncio.Semaphore(max(1, concurrency))
    lanes = [
        Lane(strategy, weight, documents, chunks, purpose=purpose, max_attempts=max_attempts, gate=gate)
        for strategy, weight in strategies
        if weight > 0
    ]
    with rare_collections():
        await _walk(run, lanes, concurrency, on_progress)
    return run.result(lanes, n_chunks=len(chunks))


async def _walk(run: "_Run", lanes: Sequence[Lane], concurrency: int, on_progress: Callable[[Progress], None] | None) -> None:
    """Let the lanes take turns until nothing is missing, or nothing more can be had."""
    total_weight = sum(lane.weight for lane in lanes)
    finished = False
    try:
        while run.missing > 0:
            lane = min((lane for lane in lanes if not lane.exhausted), key=lambda lane: lane.accepted / lane.weight, default=None)
            if lane is None:
                break
            visits_needed = -(-(run.missing + run.unseen) // ROWS_PER_VISIT)
            for ahead in lanes:
                share = ahead.weight / total_weight
                ahead.prefetch(max(1, round(min(concurrency, visits_needed) * share)))
            try:
                batch = await lane.next_batch()
            except BudgetExhausted as end:
                run.stopped = end.message
                break
            if batch:
                run.count(batch)
            while run.missing > 0 and (sample := lane.take()):
                lane.accepted += run.examine(sample)
            if on_progress:
                on_progress(run.progress({lane.strategy.name: lane.pace for lane in lanes}))
        finished = True
    finally:
        for lane in lanes:
            for unused in await lane.close(cancel=not finished):
                run.count_unused(unused)


class _Run:
    """Everything that is counted while rows are examined."""

    def __init__(self, target: int, refuse: Refuse, existing: Sequence[Sample], persona: Mapping[Language, str]) -> None:
        self.target = target
        self.refuse = refuse
        self.persona = persona
        self.kept = list(existing)
        self.n_existing = len(self.kept)
        self.dropped: list[Dropped] = []
        self.reasons: Counter[str] = Counter()
        self.ids = {sample.id for sample in existing}
        self.existing_ids = set(self.ids)
        self.texts = {_text_key(sample) for sample in existing}
        self.stopped = ""
        self.requests = self.responses = self.tokens_in = self.tokens_out = self.proposed = self.already_kept = 0

    @property
    def missing(self) -> int:
        return self.target - len(self.kept)

    @property
    def unseen(self) -> int:
        """Existing rows that the walk has not come across yet."""
        return len(self.existing_ids)

    def count(self, batch: Candidates) -> None:
        self.count_unused(batch)
        self.responses += 1
        self.proposed += len(batch.dropped)
        self.dropped.extend(batch.dropped)
        self.reasons.update(d.reason for d in batch.dropped)

    def count_unused(self, batch: Candidates) -> None:
        self.requests += batch.requests
        self.tokens_in += batch.tokens_in
        self.tokens_out += batch.tokens_out

    def examine(self, candidate: Sample) -> int:
        """Accept, recognise or drop one row; return 1 if it counts for its strategy's share, else 0."""
        sample = _in_row_style(candidate, self.persona)
        if sample.id in self.existing_ids:
            self.existing_ids.discard(sample.id)
            self.already_kept += 1
            return 1
        self.proposed += 1
        key = _text_key(sample)
        if sample.id in self.ids or key in self.texts:
            self._drop(sample, "exact_duplicate", "the same question and answer are already there")
            return 0
        verdict = self.refuse(sample)
        if verdict:
            self._drop(sample, *verdict)
            return 0
        self.kept.append(sample)
        self.ids.add(sample.id)
        self.texts.add(key)
        return 1

    def progress(self, pace: Mapping[str, float]) -> Progress:
        reasons = dict(self.reasons.most_common())
        return Progress(
            len(self.kept), self.target, self.requests, self.tokens_in, self.tokens_out, reasons, existing=self.n_existing, pace=pace
        )

    def result(self, lanes: Sequence[Lane], *, n_chunks: int) -> StageResult:
        accepted = len(self.kept) - self.n_existing
        assert self.proposed == accepted + len(self.dropped), (self.proposed, accepted, len(self.dropped))
        stats: JsonObject = {
            "target": self.target,
            "chunks": n_chunks,
            "requests": self.requests,
            "responses": self.responses,
            "proposed": self.proposed,
            "accepted": accepted,
            "yield": round(accepted / self.proposed, 4) if self.proposed else None,
            "already_kept": self.already_kept,
            "held_back": sum(lane.held_back for lane in lanes),
            "reasons": dict(self.reasons.most_common()),
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "by_strategy": {lane.strategy.name: lane.accepted for lane in lanes},
            "shortfall": max(0, self.missing),
            "stopped": self.stopped,
        }
        ratios = sorted(s.scores["length_ratio"] for s in self.kept if "length_ratio" in s.scores)
        if ratios:
            stats["length_ratio"] = {"least": ratios[0], "median": ratios[len(ratios) // 2], "most": ratios[-1]}
        return StageResult(kept=self.kept, dropped=self.dropped, stats=stats)

    def _drop(self, sample: Sample, reason: str, detail: str) -> None:
        self.dropped.append(Dropped(sample, reason, detail))
        self.reasons[reason] += 1


def _in_row_style(sample: Sample, persona: Mapping[Language, str]) -> Sample:
    language: Language = "en" if sample.tags.get("language") == "en" else "zh"
    instruction = persona.get(language, "")
    record = sample.record
    if not instruction or not isinstance(record, ConversationRecord | PreferenceRecord | FeedbackRecord):
        return sample.tagged(row_style="task")
    styled = record.model_copy(update={"persona": instruction})
    made = Sample.of(styled, provenance=sample.provenance, tags={**sample.tags, "row_style": "persona"})
    return made.model_copy(update={"scores": sample.scores}) if sample.scores else made


def _text_key(sample: Sample) -> str:
    return f"{fold(prompt_text(sample.record))}\x00{fold(completion_text(sample.record))}"
