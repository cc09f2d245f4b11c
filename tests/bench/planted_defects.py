"""Recall of planted defects and false alarms, measured: ``python tests/bench/planted_defects.py [SEEDS]`` (default 10).

Each seed spoils other rows of 400 that the offline generator wrote about the example's documents, ten of a kind and language, once with
provenance (checked by evidence) and once without (by retrieval). Prints one JSON object.
"""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path

from datagen.generate.extractive import Extractive
from datagen.generate.runner import generate
from datagen.ingest import ingest_paths
from datagen.ingest.chunk import chunk_document
from datagen.score import audit
from datagen.testing.planted import CODES, plant

DOCS = Path(__file__).resolve().parents[2] / "examples" / "hotel_ota" / "docs"


def main(seeds: int) -> None:
    """Plant, audit, count."""
    documents = ingest_paths([DOCS]).documents
    chunks = [chunk for document in documents for chunk in chunk_document(document)]
    rows = list(asyncio.run(generate(documents, chunks, [(Extractive(), 1.0)], target=400, purpose="train")).kept)
    watched = frozenset[str]().union(*CODES.values())
    report: dict[str, object] = {}
    for keep, name in ((True, "by_evidence"), (False, "by_retrieval")):
        made, found, alarms = Counter[str](), Counter[str](), Counter[str]()
        clean = suspected = 0
        for seed in range(seeds):
            planted = plant(rows, per_kind=10, seed=seed, keep_provenance=keep)
            codes: dict[int, set[str]] = {}
            for finding in audit(planted.samples, docs=documents).findings:
                codes.setdefault(finding.row, set()).add(finding.code)
            for row, sample in enumerate(planted.samples):
                raised = codes.get(row, set()) & watched
                kind = planted.kind_of.get(row)
                if kind is None:
                    clean += 1
                    suspected += bool(raised)
                    alarms.update(raised)
                    continue
                key = f"{kind} {sample.tags.get('language', '')}".strip()
                made[key] += 1
                found[key] += bool(codes.get(row, set()) & CODES[kind])
        report[name] = {
            "recall": {key: f"{found[key]}/{n}" for key, n in sorted(made.items())},
            "clean": clean,
            "false_alarms": round(suspected / clean, 4),
            "by_code": dict(alarms.most_common()),
        }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
