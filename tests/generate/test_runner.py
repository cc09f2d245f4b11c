"""The runner is driven with scripted strategies: no LLM, artificial delays."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from datagen.errors import UsageError
from datagen.generate.candidate import Candidates
from datagen.generate.runner import Progress, generate
from datagen.generate.strategy import Purpose, Strategy
from datagen.hashing import unit_interval
from datagen.schemas.document import Chunk, Document, Section
from datagen.schemas.record import ConversationRecord, question_answer
from datagen.schemas.sample import Provenance, Sample
from datagen.schemas.stage import Dropped, StageResult


def _document(name: str, n_chunks: int) -> tuple[Document, list[Chunk]]:
    text = "".join(f"第{i}节讲的是退房和押金。\n" for i in range(n_chunks))
    step = len(text) // n_chunks
    sections = (Section(heading_path=(name,), start=0, end=len(text)),)
    document = Document(path=name, sha256="0" * 64, media_type="md", language="zh", title=name, text=text, sections=sections)
    return document, [Chunk.of(document, i * step, (i + 1) * step, (name,), 10) for i in range(n_chunks)]


DOCUMENTS, CHUNKS = [], []
for _name, _n in (("甲.md", 3), ("乙.md", 1), ("丙.md", 6), ("丁.md", 2)):
    _d, _c = _document(_name, _n)
    DOCUMENTS.append(_d)
    CHUNKS.extend(_c)


class Scripted:
    """Four samples and one dropped sample a call, after a delay that depends on the seed."""

    def __init__(self, name: str = "scripted", *, delay_seed: str = "", per_call: int = 4) -> None:
        self.name = name
        self.delay_seed = delay_seed
        self.per_call = per_call
        self.calls = 0
        self.running = self.most_running = 0

    def fingerprint(self) -> str:
        return self.name

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        self.calls += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        if self.delay_seed:
            await asyncio.sleep(unit_interval(f"{self.delay_seed}:{chunk.id}:{attempt}") * 0.005)
        self.running -= 1
        made = [self._sample(document, chunk, attempt, i) for i in range(self.per_call + 1)]
        return Candidates(made[1:], [Dropped(made[0], "evidence_not_found", "quote")], requests=1, tokens_in=100, tokens_out=20)

    def _sample(self, document: Document, chunk: Chunk, attempt: int, i: int) -> Sample:
        record = question_answer(f"{self.name} {document.path} {chunk.id} {attempt} {i}？", f"答案 {chunk.start} {i}")
        return Sample.of(record, provenance=Provenance(document=document.path, strategy=self.name), tags={"language": "zh"})


def _run(
    strategies: Sequence[tuple[Strategy, float]],
    target: int,
    *,
    concurrency: int = 8,
    existing: Sequence[Sample] = (),
    max_attempts: int = 3,
) -> StageResult:
    return asyncio.run(
        generate(
            DOCUMENTS,
            CHUNKS,
            strategies,
            target=target,
            purpose="train",
            concurrency=concurrency,
            existing=existing,
            max_attempts=max_attempts,
        )
    )


def _ids(result: StageResult) -> list[str]:
    return [sample.id for sample in result.kept]


@pytest.mark.parametrize("target", [0, 1, 7, 48, 100])
def test_exactly_the_target_is_kept(target: int) -> None:
    result = _run([(Scripted(), 1.0)], target)
    assert len(result.kept) == target
    assert len(set(_ids(result))) == target
    assert result.stats["shortfall"] == 0
    assert result.stats["proposed"] == result.stats["accepted"] + len(result.dropped)


def test_shortfall_is_reported_and_everything_was_tried() -> None:
    result = _run([(Scripted(), 1.0)], 1000, max_attempts=2)
    assert len(result.kept) == 12 * 4 * 2
    assert result.stats["shortfall"] == 1000 - 96
    assert result.stats["requests"] == 24
    assert result.stats["held_back"] == 0
    assert result.stats["reasons"] == {"evidence_not_found": 24}
    assert (result.stats["tokens_in"], result.stats["tokens_out"]) == (2400, 480)


@pytest.mark.parametrize("concurrency", [1, 2, 7, 64])
@pytest.mark.parametrize("delay_seed", ["a", "b"])
def test_order_does_not_depend_on_concurrency_or_delays(concurrency: int, delay_seed: str) -> None:
    plain = _run([(Scripted("p"), 2.0), (Scripted("q"), 1.0)], 60, concurrency=1)
    slow = _run([(Scripted("p", delay_seed=delay_seed), 2.0), (Scripted("q", delay_seed=delay_seed), 1.0)], 60, concurrency=concurrency)
    assert _ids(slow) == _ids(plain)
    assert [(d.sample.id, d.reason) for d in slow.dropped] == [(d.sample.id, d.reason) for d in plain.dropped]


def test_growing_gives_a_superset_in_the_same_order() -> None:
    small, large = _run([(Scripted(), 1.0)], 20), _run([(Scripted(), 1.0)], 90)
    grown = _run([(Scripted(), 1.0)], 90, existing=small.kept)
    assert _ids(large)[:20] == _ids(small)
    assert _ids(grown) == _ids(large)
    assert grown.stats["accepted"] == 70
    assert grown.stats["already_kept"] == 20


def test_existing_rows_that_nobody_would_generate_stay_first_and_count() -> None:
    old = [Sample.of(question_answer(f"旧问题 {i}？", "旧答案")) for i in range(5)]
    result = _run([(Scripted(), 1.0)], 12, existing=old)
    assert _ids(result)[:5] == [s.id for s in old]
    assert len(result.kept) == 12


def test_every_prefix_covers_documents_evenly() -> None:
    result = _run([(Scripted(), 1.0)], 48)
    first = Counter(s.provenance.document for s in result.kept[:12])
    assert first == {"甲.md": 3, "乙.md": 3, "丙.md": 3, "丁.md": 3}


def test_weights_are_shares_of_rows_and_a_dry_strategy_is_replaced() -> None:
    result = _run([(Scripted("p"), 3.0), (Scripted("q"), 1.0)], 80)
    assert result.stats["by_strategy"]["q"] in range(18, 24)
    dry = _run([(Scripted("p"), 3.0), (Scripted("q", per_call=0), 1.0)], 80)
    assert dry.stats["by_strategy"] == {"p": 80, "q": 0}


def test_requests_stay_within_need_and_concurrency() -> None:
    strategy = Scripted(delay_seed="x")
    result = _run([(strategy, 1.0)], 6, concurrency=8)
    assert strategy.calls == 2
    assert result.stats["requests"] == 2
    many = Scripted(delay_seed="x")
    _run([(many, 1.0)], 60, concurrency=3)
    assert many.most_running == 3


def test_refused_rows_are_dropped_with_their_reason_and_replaced() -> None:
    def refuse(sample: Sample) -> tuple[str, str] | None:
        return ("leaks_into_recall", "0.9 with exam row 3") if sample.id[0] in "0123" else None

    result = asyncio.run(generate(DOCUMENTS, CHUNKS, [(Scripted(), 1.0)], target=40, purpose="train", refuse=refuse))
    assert len(result.kept) == 40
    assert not any(s.id[0] in "0123" for s in result.kept)
    reasons = result.reasons()
    assert set(reasons) == {"leaks_into_recall", "evidence_not_found"}
    assert reasons == result.stats["reasons"]
    assert result.stats["proposed"] == 40 + len(result.dropped)


def test_repeated_rows_are_exact_duplicates() -> None:
    class Repeating(Scripted):
        def _sample(self, document: Document, chunk: Chunk, attempt: int, i: int) -> Sample:
            return Sample.of(question_answer(f"{document.path} 几点退房？", "12:00"), tags={"language": "zh"})

    result = _run([(Repeating(), 1.0)], 10, max_attempts=1)
    assert len(result.kept) == 4
    assert result.stats["shortfall"] == 6
    assert result.reasons()["exact_duplicate"] == 44


def test_persona_is_put_on_records_of_its_language() -> None:
    persona = {"zh": "你是枕溪订房的客服，请根据公司规定回答。"}
    result = asyncio.run(generate(DOCUMENTS, CHUNKS, [(Scripted(), 1.0)], target=3, purpose="exam", persona=persona))  # type: ignore[arg-type]
    record = result.kept[0].record
    assert isinstance(record, ConversationRecord)
    assert record.persona == persona["zh"]
    assert {s.tags["row_style"] for s in result.kept} == {"persona"}
    assert {s.tags["row_style"] for s in _run([(Scripted(), 1.0)], 3).kept} == {"task"}
    assert all(s.id == Sample.of(s.record).id for s in result.kept)


def test_progress_ends_at_the_target() -> None:
    seen: list[Progress] = []
    asyncio.run(generate(DOCUMENTS, CHUNKS, [(Scripted(), 1.0)], target=10, purpose="train", on_progress=seen.append))
    assert (seen[-1].accepted, seen[-1].target) == (10, 10)
    assert [p.accepted for p in seen] == sorted(p.accepted for p in seen)


def test_a_failing_strategy_stops_the_run() -> None:
    class Failing(Scripted):
        async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
            raise ConnectionError("no network")

    with pytest.raises(ConnectionError, match="no network"):
        _run([(Failing(), 1.0)], 10)


def test_no_usable_strategy_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="positive weight"):
        _run([(Scripted(), 0.0)], 10)
