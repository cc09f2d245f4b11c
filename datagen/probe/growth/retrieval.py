"""Fine-tune, retrieve, or both? The same eval questions in four cells: base, base + retrieved, tuned, tuned + retrieved.

The tuned model has been trained on the rows as they are, without passages, and meets passages only in the exam, as it would in a
service that puts a retriever before a model tuned on question and answer.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from datagen.errors import UsageError
from datagen.generate.prompts import load_prompt
from datagen.jsonl import write_json
from datagen.probe.config import ProbeConfig
from datagen.probe.growth.bank import Bank, Job, base_job, distinct, refuse_leaking_rows
from datagen.probe.growth.bm25 import PassageIndex, holds_evidence
from datagen.probe.growth.matrix import Matrix, difference, document_losses, level, primary_set
from datagen.probe.growth.words import retrieval_sentence
from datagen.probe.progress import OnProgress
from datagen.probe.result import Decision, Sentence
from datagen.probe.stats.verdict import Metric, decide
from datagen.probe.store import runs
from datagen.probe.store.losses import LossRow, read_losses, write_losses
from datagen.schemas.document import Chunk
from datagen.schemas.record import ConversationRecord, Message, prompt_text
from datagen.schemas.sample import Sample
from datagen.text import detect_language

Name = Literal["base", "base + retrieved", "tuned", "tuned + retrieved"]
CELLS: tuple[Name, ...] = ("base", "base + retrieved", "tuned", "tuned + retrieved")
CONTRASTS: tuple[tuple[Name, Name], ...] = (
    ("base", "base + retrieved"),
    ("base", "tuned"),
    ("base + retrieved", "tuned"),
    ("tuned", "tuned + retrieved"),
    ("base + retrieved", "tuned + retrieved"),
)
LEVEL = 0.05
PROMPT_TOKENS = 4096
"""Passages are never cut to the training length: the prompt would lose its head, the instruction and the best passage."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RetrievalCell(_Frozen):
    """Loss of one cell in nats per completion token with its 95 % interval (documents, and seeds where it is trained)."""

    name: Name
    metric: Metric
    loss: float
    low: float
    high: float


class Contrast(_Frozen):
    """``new`` minus ``old``, paired by question's document and seed; below 0 ``new`` is better; 95 % interval."""

    old: Name
    new: Name
    metric: Metric
    difference: float
    low: float
    high: float
    verdict: Decision


class RetrievalResult(_Frozen):
    """The four cells on one eval set.

    Attributes:
        found: share of the questions with known evidence whose passages hold it whole; null if no question has evidence.
    """

    model: str
    eval_set: str
    rows: int
    seeds: int
    questions: int
    documents: int
    passages: int
    k: int
    found: float | None
    cells: tuple[RetrievalCell, ...]
    contrasts: tuple[Contrast, ...]
    sentence: Sentence
    trained: int


def retrieval_probe(
    train: Sequence[Sample],
    exam: Sequence[Sample],
    chunks: Sequence[Chunk],
    *,
    config: ProbeConfig,
    runs_dir: Path,
    out_dir: Path,
    k: int = 1,
    allow_leaks: bool = False,
    on_progress: OnProgress | None = None,
) -> RetrievalResult:
    """Train on the rows, score the exam with and without passages, before and after; write ``retrieval.json`` and ``losses.parquet``.

    Args:
        exam: one-turn or longer conversations; passages go into the last user turn.
        chunks: what is searched, by BM25 with the question as the query.
        k: passages put before each question.
        allow_leaks: train although training rows leak into the exam; see :mod:`datagen.dedup.leakage.refusal`.

    Raises:
        UsageError: no rows, no chunks, or fewer than two seeds.
        DataError: training rows leak into the exam.
        MissingExtra: bm25s is not installed.
    """
    if not allow_leaks:
        refuse_leaking_rows(train, exam, "probe")
    rows = distinct(train)
    if not rows:
        raise UsageError("the training set has no rows")
    if config.seeds < 2:
        raise UsageError("one seed says nothing about the noise between runs", hint="give --seeds 2 or more")
    index = PassageIndex(chunks)
    bank = Bank(exam, config=config, runs_dir=runs_dir, on_progress=on_progress)
    found = [index.search(prompt_text(s.record), k=k) for s in bank.exam]
    asked = [with_passages(s, passages) for s, passages in zip(bank.exam, found, strict=True)]
    jobs = [base_job(config), *(Job("tuned", rows, seed, config) for seed in range(config.seeds))]
    losses = bank.run(jobs)
    for job in jobs:
        losses += _with_retrieved(bank, job, asked)
    eval_set = primary_set(losses, config.primary)
    metrics: tuple[Metric, ...] = ("nll", "fact_nll")
    cells: list[RetrievalCell] = []
    contrasts: list[Contrast] = []
    for metric in metrics:
        if metric == "fact_nll" and not any(r.fact_tokens and r.eval_set == eval_set for r in losses):
            continue
        own: dict[Name, Matrix] = {name: document_losses(losses, arm=name, eval_set=eval_set, metric=metric) for name in CELLS}
        cells += [_cell(name, metric, m) for name, m in own.items()]
        contrasts += [_contrast(old, new, metric, own, config.delta) for old, new in CONTRASTS]
    known = [h for s, p in zip(bank.exam, found, strict=True) if (h := holds_evidence(s, p)) is not None]
    matrix = document_losses(losses, arm="base", eval_set=eval_set)
    result = RetrievalResult(
        model=bank.source.name,
        eval_set=eval_set,
        rows=len(rows),
        seeds=config.seeds,
        questions=matrix.items,
        documents=len(matrix.weights),
        passages=len(index.chunks),
        k=k,
        found=sum(known) / len(known) if known else None,
        cells=tuple(cells),
        contrasts=tuple(contrasts),
        sentence=retrieval_sentence({(c.old, c.new): c for c in contrasts if c.metric == "nll"}),
        trained=bank.trained,
    )
    write_losses(out_dir / "losses.parquet", losses)
    write_json(out_dir / "retrieval.json", result.model_dump(mode="json"))
    return result


def with_passages(sample: Sample, passages: Sequence[Chunk]) -> Sample:
    """Put passages before the sample's last user turn (prompt ``retrieval/<language>.v1``); without any it stays as it is.

    Raises:
        UsageError: not a conversation with a user turn.
    """
    record = sample.record
    turns = [i for i, m in enumerate(record.messages) if m.role == "user"] if isinstance(record, ConversationRecord) else []
    if not isinstance(record, ConversationRecord) or not turns:
        raise UsageError(f"exam question {sample.id[:12]} is a {record.kind} record without a user's question: nothing to retrieve for")
    if not passages:
        return sample
    question = record.messages[turns[-1]].content
    prompt = load_prompt(f"retrieval/{detect_language(question)}.v1")
    _, text = prompt.render(passages=[c.text.strip() for c in passages], question=question)
    messages = list(record.messages)
    messages[turns[-1]] = Message(role="user", content=text)
    return Sample.of(record.model_copy(update={"messages": tuple(messages)}), provenance=sample.provenance, tags=dict(sample.tags))


def _with_retrieved(bank: Bank, job: Job, asked: Sequence[Sample]) -> list[LossRow]:
    """Score the exam with passages; the losses lie beside the run's own, under the original questions' ids, so that they pair."""
    from datagen.probe.train.evaluate import evaluate, evaluate_base

    path = bank.folder(job) / f"retrieved-{runs.data_key(asked)[:16]}.parquet"
    if not path.is_file():
        config = job.config.model_copy(update={"max_length": PROMPT_TOKENS})
        backend = bank.with_adapter(job) if job.rows else bank.loaded(job.config)
        bank.note(f"scoring with passages: {job.arm}" + (f", seed {job.seed + 1}" if job.rows else ""))
        examples = bank.encode(asked, config).examples
        items = evaluate(backend, examples, config=config) if job.rows else evaluate_base(backend, examples, config=config)
        found = runs.loss_rows(bank.folder(job).name, job.seed, 0, items)
        write_losses(path, [row._replace(example_id=own.id) for row, own in zip(found, bank.exam, strict=True)])
    return [row._replace(arm=f"{job.arm} + retrieved") for row in read_losses(path)]


def _cell(name: Name, metric: Metric, matrix: Matrix) -> RetrievalCell:
    value = level(matrix)
    half = value.half_width(LEVEL)
    return RetrievalCell(name=name, metric=metric, loss=value.delta, low=value.delta - half, high=value.delta + half)


def _contrast(old: Name, new: Name, metric: Metric, cells: dict[Name, Matrix], delta: float) -> Contrast:
    value = difference(cells[old], cells[new])
    half = value.half_width(LEVEL)
    # Two scorings of the untrained model have no seeds to differ by; its documents still do.
    verdict = decide(value, delta=delta, alpha=LEVEL) if value.seeds > 1 else _single(value.delta, half)
    return Contrast(
        old=old, new=new, metric=metric, difference=value.delta, low=value.delta - half, high=value.delta + half, verdict=verdict
    )


def _single(delta: float, half: float) -> Decision:
    if delta + half < 0:
        return "BETTER"
    return "WORSE" if delta - half > 0 else "INCONCLUSIVE"
