"""The exam and the lessons: both written by the recipe's strategies, the exam first and frozen, lessons kept apart from it."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from datagen.dedup.compared import On
from datagen.errors import DataError, StageFailed, UsageError, suggest
from datagen.exam import Exam, choose_unseen_documents
from datagen.generate.distinct import refuse_near
from datagen.generate.funnel import Money, examples_of, funnel_of, note, require_yield, seconds_left
from datagen.generate.opening import Crew, open_crew
from datagen.generate.runner import Progress, Refuse, generate
from datagen.generate.strategy import Purpose
from datagen.hashing import sha256_hex
from datagen.jsonl import JsonObject, read_rows
from datagen.library import Roots
from datagen.pipeline.progress import Listener
from datagen.pipeline.recipe import GenerateSpec, Recipe
from datagen.pipeline.reviews import Reviews
from datagen.pipeline.sources import Sources
from datagen.schemas.document import Document
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Provenance, Sample
from datagen.schemas.stage import StageResult
from datagen.text import detect_language
from datagen.workspace import Workspace


def open_recipe_crew(
    spec: GenerateSpec, workspace: Workspace, *, library: Roots = (), budget: float | None = None, batch: bool = False
) -> Crew:
    """Open the recipe's strategies; they share the workspace's response store, and one budget whatever models they ask.

    ``library``: folders searched for prompts before the built-in library. ``budget``: the most dollars all stored responses may cost.
    ``batch``: ask through the providers' batch APIs, at half the price.

    Raises:
        UsageError: a model has no price although there is a budget, no key, or does not exist; ``batch``, and no model has a batch API.
    """
    from datagen.clients import Account, CachingClient, Limits, open_client
    from datagen.probe.models.known import resolve_model

    account = Account(budget, spent_so_far(workspace)) if budget is not None else None

    def open_model(model: str) -> CachingClient:
        return open_client(
            model,
            workspace.responses,
            concurrency=spec.concurrency,
            limits=Limits(),
            account=account,
            batch=batch,
            workspace=workspace.root,
            find_model=lambda name: resolve_model(name).prepare("bfloat16"),
        )

    return open_crew(spec.strategies, open_model, judge=spec.judge, library=library, batch=batch)


def spent_so_far(workspace: Workspace) -> float:
    """Return the dollars that all responses stored in the workspace cost by the price list; models without a price cost nothing."""
    from datagen.clients import spent_in

    return spent_in(workspace.responses, workspace.root)


def write_exam(recipe: Recipe, sources: Sources, crew: Crew, *, gold: Sequence[Sample], listener: Listener) -> StageResult:
    """Write the exam's questions: a share about documents held out whole (``unseen``), the rest about the others (``recall``).

    No two questions are near-duplicates. Gold questions ride along, tagged ``gold``.

    Raises:
        StageFailed: the documents yield no question at all.
    """
    spec = recipe.exam
    held_out = choose_unseen_documents(sources.documents, ratio=spec.unseen_documents, salt=spec.salt)
    n_unseen = round(spec.size * spec.unseen_share) if held_out else 0
    # A label on an answer is examined with its other answer too; of everything else, one exam row a question. A text has no prompt.
    on: On = "both" if recipe.method in ("kto", "pt") else "prompt"
    refuse = refuse_near(threshold=recipe.clean.threshold, ngram=recipe.clean.ngram, on=on)
    parts: list[StageResult] = []
    inside = [d for d in sources.documents if d.path in held_out]
    outside = [d for d in sources.documents if d.path not in held_out]
    for eval_set, target, chosen in (("unseen", n_unseen, inside), ("recall", spec.size - n_unseen + spec.vault, outside)):
        result = _generate(recipe, sources, crew, documents=chosen, target=target, purpose="exam", refuse=refuse, listener=listener)
        parts += _tagged(result, eval_set, vault=spec.vault if eval_set == "recall" else 0, wanted=target, salt=spec.salt)
    kept = [s for part in parts for s in part.kept]
    if not kept:
        raise StageFailed(
            f"the exam is empty: no question could be made from {len(sources.documents)} documents",
            hint="add documents with facts (tables, FAQs, figures), or use a recipe with an LLM strategy",
        )
    stats = {key: value for part in parts for key, value in part.stats.items()}
    stats |= {"gold": len(gold), "unseen_documents": sorted(held_out), "wanted": spec.size}
    return StageResult([*kept, *gold], [d for part in parts for d in part.dropped], stats)


def _tagged(result: StageResult, eval_set: str, *, vault: int, wanted: int, salt: str) -> list[StageResult]:
    """Tag exam questions; the vault is a stable-hash choice of them, in proportion if there are fewer than wanted."""
    n = round(vault * len(result.kept) / wanted) if wanted else 0
    hidden = {s.id for s in sorted(result.kept, key=lambda s: sha256_hex(f"{salt}:vault:{s.id}"))[:n]}
    shown = [s.tagged(eval_set=eval_set) for s in result.kept if s.id not in hidden]
    parts = [StageResult(shown, result.dropped, {eval_set: len(shown)})]
    if vault:
        parts.append(StageResult([s.tagged(eval_set="vault") for s in result.kept if s.id in hidden], [], {"vault": n}))
    return parts


def write_lessons(
    recipe: Recipe,
    sources: Sources,
    crew: Crew,
    *,
    exam: Exam,
    target: int,
    reviews: Reviews,
    reviewed: StageResult,
    held_out: frozenset[str],
    listener: Listener,
) -> StageResult:
    """Generate training rows until ``target`` are kept, none near another row or near an exam question, none that people took out.

    ``reviewed`` holds the parent's rows after people's decisions; what those dropped is dropped here too, with its reason.

    Raises:
        StageFailed: fewer than ``generate.min_share`` of the wanted rows could be made.
    """
    near = refuse_near(threshold=recipe.clean.threshold, ngram=recipe.clean.ngram, existing=reviewed.kept)

    def refuse(sample: Sample) -> tuple[str, str] | None:
        return reviews.refuse(sample) or exam.refuse(sample) or near(sample)

    documents = [d for d in sources.documents if d.path not in held_out]
    kept, parts = list(reviewed.kept), list[StageResult]()
    for part_of, wanted in _shares(documents, recipe.generate.quotas, target - len(kept)):
        parts.append(
            _generate(
                recipe,
                sources,
                crew,
                documents=part_of,
                target=target if wanted is None else min(target, len(kept) + wanted),
                purpose="train",
                refuse=refuse,
                listener=listener,
                existing=kept,
            )
        )
        kept = parts[-1].kept
    stats = _total([part.stats for part in parts])
    stats["by_strategy"] = dict(Counter(s.provenance.strategy or "given" for s in kept).most_common())
    result = StageResult(kept, [*reviewed.dropped, *(d for part in parts for d in part.dropped)], stats)
    stats |= {"funnel": funnel_of(stats), "examples": examples_of(result.dropped)}
    if len(result.kept) < recipe.generate.min_share * target:
        reasons = ", ".join(f"{reason} {n}" for reason, n in list(result.reasons().items())[:4]) or "no candidates"
        raise StageFailed(
            f"only {len(result.kept)} of {target} rows could be generated ({reasons})",
            hint="add documents, lower sizes, raise generate.max_attempts, or lower generate.min_share",
        )
    return result


def _shares(documents: Sequence[Document], quotas: Mapping[str, int], missing: int) -> list[tuple[list[Document], int | None]]:
    """Return groups of documents with the new rows wanted from each, quotas first; last, what remains (None) over all but the left out.

    Raises:
        UsageError: a quota names no document or folder.
    """
    shares: list[tuple[list[Document], int | None]] = []
    left_out: set[str] = set()
    for name, wanted in quotas.items():
        chosen = [d for d in documents if d.path == name or d.path.startswith(f"{name.rstrip('/')}/") or name == "."]
        if not chosen:
            folders = {str(parent) for d in documents for parent in PurePosixPath(d.path).parents}
            raise UsageError(
                f"generate.quotas: no document to train on is '{name}' or lies in it",
                hint=suggest(name, sorted({*folders, *(d.path for d in documents)})),
            )
        if wanted == 0:
            left_out.update(d.path for d in chosen)
        elif missing > 0:
            shares.append((chosen, wanted))
    shares.append(([d for d in documents if d.path not in left_out], None))
    return shares


def _total(stats: Sequence[JsonObject]) -> JsonObject:
    """Add up the figures of successive generation calls; the last says how many rows are missing."""
    total: JsonObject = {**stats[-1]}
    for key in ("requests", "responses", "proposed", "accepted", "held_back", "tokens_in", "tokens_out"):
        total[key] = sum(int(part.get(key, 0)) for part in stats)
    reasons: Counter[str] = Counter()
    for part in stats:
        reasons.update(part.get("reasons", {}))
    total["yield"] = round(total["accepted"] / total["proposed"], 4) if total["proposed"] else None
    return {**total, "reasons": dict(reasons.most_common())}


def read_gold(path: Path, limit: int) -> list[Sample]:
    """Read questions written by people: JSONL of ``question``, ``answer`` and, optionally, ``document``, ``language``.

    At most ``limit`` of them, a fixed random choice.

    Raises:
        DataError: a line lacks question or answer.
    """
    samples: list[Sample] = []
    for line, row in read_rows(path):
        question, answer = row.get("question"), row.get("answer")
        if not (isinstance(question, str) and question.strip() and isinstance(answer, str) and answer.strip()):
            raise DataError(f"{path}:{line}: a gold question needs 'question' and 'answer', both text", hint="fix or remove that line")
        language = str(row.get("language") or detect_language(question))
        provenance = Provenance(document=str(row.get("document") or ""), strategy="gold")
        samples.append(Sample.of(question_answer(question, answer), provenance=provenance, tags={"eval_set": "gold", "language": language}))
    chosen = {s.id for s in sorted(samples, key=lambda s: sha256_hex(f"gold:{s.id}"))[:limit]}
    return [s for s in samples if s.id in chosen]


def _generate(
    recipe: Recipe,
    sources: Sources,
    crew: Crew,
    *,
    documents: Sequence[Document],
    target: int,
    purpose: Purpose,
    refuse: Refuse,
    listener: Listener,
    existing: Sequence[Sample] = (),
) -> StageResult:
    paths = {d.path for d in documents}

    begun, paid_before = time.monotonic(), crew.paid()

    def tell(state: Progress) -> None:
        seconds = time.monotonic() - begun
        paid = crew.paid() - paid_before
        told, left = note(state, seconds=seconds, money=Money(paid) if paid else None), seconds_left(state, seconds)
        listener.advance(state.accepted, state.target, f"{told} · about {left:.0f} s left" if left and told else told)

    async def work() -> StageResult:
        try:
            return await generate(
                documents,
                [c for c in sources.chunks if c.document in paths],
                crew.examiners if purpose == "exam" else crew.writers,
                target=target,
                purpose=purpose,
                refuse=refuse,
                existing=existing,
                persona=recipe.generate.persona,
                max_attempts=recipe.generate.max_attempts,
                concurrency=recipe.generate.concurrency,
                on_progress=tell,
            )
        finally:
            await crew.drain()

    result = asyncio.run(work())
    # A stage cut short by the budget is no stage: a smaller exam would be frozen for ever.
    if result.stats["stopped"]:
        raise StageFailed(str(result.stats["stopped"]), hint="every response is stored: run again with a larger --budget to go on here")
    require_yield(result, recipe.generate.min_yield)
    return result
