"""Where is a row about something else? Support of rows in and outside the documents, and what each threshold finds and raises falsely.

    python tests/bench/off_topic.py [SHARED]

Inside: the example's gold questions (written by people) and rows of the offline generator, both without provenance. Outside: rows of
general instruction sets under ``SHARED/llamafactory_demo`` (default ``../shared/data``), in the language of the documents. Each half of
the rows picks a threshold, the other half is judged by it. Prints one JSON object.
"""

import asyncio
import json
import sys
from pathlib import Path

import numpy as np

from datagen.generate.extractive import Extractive
from datagen.generate.runner import generate
from datagen.ingest import ingest_paths
from datagen.ingest.chunk import chunk_document
from datagen.jsonl import read_rows
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample
from datagen.score.coverage.corpus import Corpus
from datagen.score.coverage.grounding import OFF_TOPIC_BELOW
from datagen.score.source import open_source

REPO = Path(__file__).resolve().parents[2]
OUTSIDE = {"en": ("alpaca_en_demo.json",), "zh": ("alpaca_zh_demo.json",)}
QUANTILES = (0.01, 0.05, 0.5, 0.95, 0.99)
GRID = [round(0.02 * k, 2) for k in range(5, 36)]


def main(shared: Path) -> None:
    """Measure and print."""
    documents = ingest_paths([REPO / "examples" / "hotel_ota" / "docs"]).documents
    chunks = [chunk for document in documents for chunk in chunk_document(document)]
    corpus = Corpus(documents)
    made = asyncio.run(generate(documents, chunks, [(Extractive(), 1.0)], target=400, purpose="train")).kept
    gold = [r.value for r in read_rows(REPO / "examples" / "hotel_ota" / "gold.jsonl")]
    inside = {
        "gold": [Sample.of(question_answer(str(g["question"]), str(g["answer"]))) for g in gold],
        "generated": [Sample.of(s.record) for s in made],
    }
    outside = {
        language: [s for name in names for s in open_source(shared / "llamafactory_demo" / name).samples]
        for language, names in OUTSIDE.items()
    }
    support = {name: _support(corpus, rows) for name, rows in {**inside, **outside}.items()}
    clean = np.concatenate([support[name] for name in inside])
    foreign = np.concatenate([support[name] for name in outside])
    report = {
        "quantiles": {name: {f"{q:g}": round(float(np.quantile(v, q)), 3) for q in QUANTILES} for name, v in support.items()},
        "rows": {name: len(v) for name, v in support.items()},
        "thresholds": [
            {"below": t, "found": round(float((foreign < t).mean()), 4), "false_alarms": round(float((clean < t).mean()), 4)}
            for t in GRID
            if 0.2 <= t <= 0.5
        ],
        "halves": [_judge_half(clean, foreign, half) for half in (0, 1)],
        "in_use": {
            "below": OFF_TOPIC_BELOW,
            **{name: round(float((v < OFF_TOPIC_BELOW).mean()), 4) for name, v in support.items()},
        },
    }
    sys.stdout.write(json.dumps(report, indent=1, ensure_ascii=False) + "\n")


def _support(corpus: Corpus, rows: list[Sample]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([p.support for p in corpus.locate(rows, least_support=0.0)], dtype=np.float64)


def _judge_half(
    clean: np.ndarray[tuple[int], np.dtype[np.float64]], foreign: np.ndarray[tuple[int], np.dtype[np.float64]], half: int
) -> dict[str, float]:
    """Pick the highest threshold with at most 1 % false alarms on one half; judge it on the other."""
    allowed = [t for t in GRID if float((clean[half::2] < t).mean()) <= 0.01]
    below = max(allowed, default=0.0)
    other = 1 - half
    return {
        "below": below,
        "found": round(float((foreign[other::2] < below).mean()), 4),
        "false_alarms": round(float((clean[other::2] < below).mean()), 4),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPO.parent / "shared" / "data")
