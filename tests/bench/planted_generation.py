"""Recall of planted defects and false drops on clean items, per strategy and language, over real HTTP: ``make bench-planted``.

The stub plants one kind of defect at a time into about half of its answers and keeps the item it struck. A plant counts as found if an item
with its text was dropped under the defect's name. A false drop is an item of an answer without any plant that was dropped for whatever
reason but repeating another one. Clean answers are measured twice: word for word, and with their numbers said in another way.

    python tests/bench/planted_generation.py [--strategies qa,...] [--chunks 30] [--json FILE]

Exits with 1 if a recall is below 99 % or false drops are above 1 %.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datagen.clients import RetryPolicy, open_client
from datagen.generate.distinct import refuse_near
from datagen.generate.opening import open_crew
from datagen.generate.runner import generate
from datagen.generate.specs import SPECS, AskingSpec
from datagen.ingest import ingest_paths
from datagen.ingest.chunk import chunk_document
from datagen.schemas.document import Chunk, Document
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.schemas.stage import Dropped, StageResult
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_server import StubServer
from datagen.testing.stub_spoil import ANSWERS, QUESTIONS, Planted

DOCS = Path(__file__).resolve().parents[2] / "examples" / "hotel_ota" / "docs"
REASONS = {
    "ungrounded": {"evidence_not_found"},
    "copied": {"answer_copied_from_question"},
    "wrong_number": {"unsupported_number"},
    "slight_number": {"unsupported_number"},
    "wrong_language": {"wrong_language"},
    "foreign_answer": {"wrong_language"},
    "truncate": {"truncated"},
    "duplicate": {"exact_duplicate", "near_duplicate", "similar_to_pool", "unknown_question_number"},
}
CLEAN = ("none", "reworded")
REPEATS = {"exact_duplicate", "near_duplicate", "similar_to_pool"}
LEAST_RECALL, MOST_FALSE = 0.99, 0.01


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: what was planted and found, and what was dropped of clean items."""

    strategy: str
    language: str
    fault: str
    planted: int
    found: int
    clean: int
    false: int
    examples: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = [kind for kind, spec in SPECS.items() if issubclass(spec, AskingSpec)]
    parser.add_argument("--strategies", default=",".join(kinds))
    parser.add_argument("--chunks", type=int, default=30)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = ingest_paths([DOCS])
    rows: list[Measured] = []
    for kind in args.strategies.split(","):
        for language in ("zh", "en"):
            documents = [d for d in found.documents if d.language == language]
            chunks = [c for d in documents for c in chunk_document(d, max_tokens=160)][:: max(1, len(documents) * 8 // args.chunks)]
            for fault in (*REASONS, *CLEAN):
                rows.append(measure(kind, language, fault, documents, chunks[: args.chunks]))
                print(line(rows[-1]), flush=True)  # noqa: T201
    totals = summary(rows)
    for text in totals:
        print(text)  # noqa: T201
    if args.json:
        args.json.write_text(json.dumps([{f: getattr(r, f) for f in r.__slots__} for r in rows], ensure_ascii=False, indent=1))
    return int(any(text.endswith("FAILED") for text in totals))


def measure(kind: str, language: str, fault: str, documents: Sequence[Document], chunks: Sequence[Chunk]) -> Measured:
    rates = {} if fault == "none" else {fault: 1.0 if fault in CLEAN else 0.5}
    with StubServer(faults=Faults(rates)) as stub:
        spec = SPECS[kind].model_validate({"kind": kind, "model": f"openai:stub@{stub.base_url}", "items_per_request": 3})
        result = asyncio.run(run(spec, documents, chunks))
        planted = list(stub.planted)
    dropped = list(result.dropped)
    hits = [claim(plant, dropped, result) for plant in planted]
    missed = [f"missed {json.dumps(p[1], ensure_ascii=False)[:200]}" for p, hit in zip(planted, hits, strict=True) if not hit]
    # What is left after the plants were claimed is clean; a plant that a later step of the strategy met again is no false drop.
    false = [d for d in dropped if d.reason not in REPEATS and not again(d, planted)]
    examples = [*missed, *(f"false {d.reason}: {d.detail[:100]} | {prompt_text(d.sample.record)[:80]}" for d in false)]
    clean = int(result.stats["proposed"]) - sum(hits)
    return Measured(kind, language, fault, len(planted), sum(hits), clean, len(false), tuple(examples[:3]))


async def run(spec: Any, documents: Sequence[Document], chunks: Sequence[Chunk]) -> StageResult:
    crew = open_crew([spec], lambda name: open_client(name, None, concurrency=8, retry=RetryPolicy(first_wait_s=0.01)))
    try:
        refuse = refuse_near()
        return await generate(documents, chunks, crew.writers, target=10**6, purpose="train", refuse=refuse, max_attempts=1)
    finally:
        await crew.aclose()


def claim(plant: Planted, dropped: list[Dropped], result: StageResult) -> bool:
    """Take the dropped item a plant became out of ``dropped``; say whether there is one under its name.

    A repeated item need not become a row (a later step may write one of it, or none): it is found if no row is kept twice.
    """
    fault, item = plant
    for i, drop in enumerate(dropped):
        if drop.reason in REASONS.get(fault, set()) and (fault == "truncate" or same(item, drop.sample)):
            del dropped[i]
            return True
    return fault == "duplicate" and sum(same(item, kept) for kept in result.kept) < 2


def again(drop: Dropped, planted: Sequence[Planted]) -> bool:
    return any(drop.reason in REASONS.get(fault, set()) and same(item, drop.sample) for fault, item in planted)


def same(item: dict[str, Any], sample: Sample) -> bool:
    """Say whether a sample holds the question and the answer of a planted one, as far as it has them."""
    record = sample.record
    node = item["turns"][0] if "turns" in item else item
    question, answer = ([str(node[k]).strip() for k in keys if k in node] for keys in (QUESTIONS, ANSWERS))
    texts = prompt_text(record), completion_text(record)
    return all(q in texts[0] for q in question) and all(a in texts[1] for a in answer) and bool(question or answer)


def line(row: Measured) -> str:
    recall = f"{row.found / row.planted:7.1%}" if row.planted else "      -"
    false = f"{row.false / row.clean:6.2%}" if row.clean else "     -"
    shown = "".join(f"\n    {text}" for text in row.examples)
    head = f"{row.strategy:17}{row.language:3}{row.fault:15}{row.planted:5} planted, recall {recall}"
    return f"{head}; {row.clean:5} clean, false {false}{shown}"


def summary(rows: Sequence[Measured]) -> list[str]:
    """Return a line for each language and defect, over all strategies, then one for false drops."""
    lines: list[str] = []
    for language in ("zh", "en"):
        mine = [r for r in rows if r.language == language]
        for fault in REASONS:
            planted = sum(r.planted for r in mine if r.fault == fault)
            found = sum(r.found for r in mine if r.fault == fault)
            failed = planted == 0 or found / planted < LEAST_RECALL
            lines.append(f"{language} {fault:15} recall {found}/{planted} = {found / max(planted, 1):.2%} {'FAILED' if failed else 'ok'}")
        for fault in CLEAN:
            clean = sum(r.clean for r in mine if r.fault == fault)
            false = sum(r.false for r in mine if r.fault == fault)
            failed = clean == 0 or false / clean > MOST_FALSE
            name = "clean" if fault == "none" else fault
            lines.append(f"{language} {name:15} false drops {false}/{clean} = {false / max(clean, 1):.2%} {'FAILED' if failed else 'ok'}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
