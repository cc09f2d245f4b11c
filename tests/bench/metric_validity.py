"""Which metrics have to do with what a model learns? Rank correlations with the probe's gain over sets of one size.

``python tests/bench/metric_validity.py [SECONDS]`` makes sets of equal size from the rows that the offline generator writes about the
example's documents (random ones, narrow ones, near-duplicates, wrong answers, foreign rows, ...), trains the embedded model on each, and
scores the frozen exam. Finished runs are kept in ``~/.cache/datagen/metric_validity``; the script stops after SECONDS (default 270) and
goes on where it was when called again. Once twelve are done it writes ``datagen/score/metric_validity.json``: Spearman's rho of metric and
gain with a 95 % interval (Fisher's z with the Bonett-Wright standard error).
"""

import asyncio
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from datagen.generate.extractive import Extractive
from datagen.generate.runner import generate
from datagen.hashing import fingerprint
from datagen.ingest import ingest_paths
from datagen.ingest.chunk import chunk_document
from datagen.jsonl import read_json, write_json
from datagen.probe.config import ProbeConfig
from datagen.schemas.record import completion_text, prompt_text, question_answer
from datagen.schemas.sample import Sample
from datagen.score.coverage.corpus import Corpus
from datagen.score.coverage.grounding import OFF_TOPIC_BELOW
from datagen.score.coverage.measure import measure_coverage
from datagen.score.defects import score_rows
from datagen.score.diversity.embedding import embed_texts
from datagen.score.diversity.measure import measure_diversity
from datagen.score.diversity.topics import find_topics
from datagen.score.frame import build_frame
from datagen.score.select import facility_location
from datagen.score.source import SourceRow
from datagen.testing.planted import OFF_TOPIC

REPO = Path(__file__).resolve().parents[2]
CACHE = user_cache_path("datagen", appauthor=False) / "metric_validity"
ROWS = 48
EXAM = 40
FEWEST = 12
"""Sets below which no correlation is written."""
CONFIG = ProbeConfig(epochs=2, learning_rate=5e-4, batch_size=8, evals_per_run=1, seeds=1)
"""Two passes in batches of eight: twelve steps, half a minute on two cores."""
Sets = dict[str, list[Sample]]


def make_sets() -> tuple[Sets, list[Sample], Corpus]:
    """Return the sets by name, the exam and the documents; the same on every machine."""
    documents = ingest_paths([REPO / "examples" / "hotel_ota" / "docs"]).documents
    chunks = [chunk for document in documents for chunk in chunk_document(document)]

    def rows(target: int, purpose: str) -> list[Sample]:
        done = generate(documents, chunks, [(Extractive(), 1.0)], target=target, purpose="exam" if purpose == "exam" else "train")
        return list(asyncio.run(done).kept)

    pool, exam = rows(400, "train"), rows(EXAM, "exam")
    vectors = embed_texts([_text(s) for s in pool])
    by_document: dict[str, list[Sample]] = {}
    for sample in pool:
        by_document.setdefault(sample.provenance.document, []).append(sample)
    richest = sorted(by_document.values(), key=len, reverse=True)
    by_length = sorted(pool, key=lambda s: len(completion_text(s.record)))
    chosen = {f"random_{seed}": random.Random(seed).sample(pool, ROWS) for seed in range(4)}
    base = chosen["random_0"]
    foreign = [Sample.of(question_answer(q, a)) for pairs in OFF_TOPIC.values() for q, a in pairs]
    shuffled = random.Random(9).sample(base, ROWS)
    sets: Sets = {
        **chosen,
        "near_duplicates": [_reworded(s, k) for s in base[: ROWS // 4] for k in range(4)],
        "few_documents": [s for group in richest for s in group][:ROWS],
        "diverse": [pool[i] for i in facility_location(vectors, ROWS)],
        "wrong_answers": [_answered(s, other) for s, other in zip(base, shuffled, strict=True)],
        "foreign": [*foreign, *base[len(foreign) :]],
        "truncated": [_cut(s) for s in base],
        "longest": by_length[-ROWS:],
        "shortest": by_length[:ROWS],
        "half_duplicates": [*base[: ROWS // 2], *(_reworded(s, 1) for s in base[: ROWS // 2])],
        "en": [s for s in pool if s.tags.get("language") == "en"][:ROWS],
        "half_wrong": [*base[: ROWS // 2], *(_answered(s, o) for s, o in zip(base[ROWS // 2 :], shuffled, strict=False))],
        "zh": [s for s in pool if s.tags.get("language") == "zh"][:ROWS],
    }
    assert all(len(own) == ROWS for own in sets.values()), {name: len(own) for name, own in sets.items()}
    return sets, exam, Corpus(documents)


def metrics_of(sets: Sets, corpus: Corpus) -> dict[str, dict[str, float]]:
    """Return metric -> set -> value; vectors of all sets share one embedding."""
    names = list(sets)
    texts = {name: [_text(s) for s in own] for name, own in sets.items()}
    vectors = embed_texts([text for name in names for text in texts[name]])
    topics = find_topics([text for name in names for text in texts[name]], vectors)
    found: dict[str, dict[str, float]] = {}
    for at, name in enumerate(names):
        own = slice(at * ROWS, (at + 1) * ROWS)
        for metric in measure_diversity(texts[name], vectors[own], n=ROWS):
            found.setdefault(metric.name, {})[name] = metric.value
        found.setdefault("topics_hit", {})[name] = float(len(set(topics.of_row[own])))
        scores = score_rows(build_frame([SourceRow(name, i, s) for i, s in enumerate(sets[name])]))
        for score in ("prompt_tokens", "completion_tokens", "repetition", "template_rate"):
            found.setdefault(score, {})[name] = float(np.mean(scores[score].to_numpy()))
        bare = [Sample.of(s.record, tags=s.tags) for s in sets[name]]
        places = corpus.locate(bare, least_support=OFF_TOPIC_BELOW)
        coverage = measure_coverage(corpus, texts[name], places)
        found.setdefault("facts_covered", {})[name] = coverage.facts_share
        found.setdefault("sections_covered", {})[name] = coverage.sections[0] / coverage.sections[1]
        found.setdefault("support", {})[name] = float(np.mean([p.support for p in places]))
    return found


def train_sets(sets: Sets, exam: Sequence[Sample], seconds: float) -> dict[str, float]:
    """Return the gain (nats per exam answer token over the untrained model) of every set trained on so far."""
    started = time.monotonic()
    # With the trainer's version: gains of two trainers are no one sample.
    key = fingerprint([CONFIG.model_dump(mode="json"), CONFIG.training_key(), [s.id for s in exam]])[:12]
    waiting = {name: own for name, own in sets.items() if not _file(key, name, own).is_file()}
    if waiting:
        from datagen.probe.data.encode import encode
        from datagen.probe.models.backend import choose_device, choose_dtype, load_backend, require_torch
        from datagen.probe.models.known import resolve_model

        require_torch()
        from datagen.probe.train.evaluate import evaluate_base
        from datagen.probe.train.loop import Task, train_run

        backend = load_backend(resolve_model(CONFIG.model).prepare(choose_dtype("auto", choose_device())), CONFIG)
        examples = encode(exam, backend.tokenizer, max_length=CONFIG.max_length).examples
        tokens = sum(e.n_tokens for e in examples)
        base_file = CACHE / f"{key}-base.json"
        if not base_file.is_file():
            write_json(base_file, {"loss": sum(i.nll for i in evaluate_base(backend, examples, config=CONFIG)) / tokens})
        base = float(read_json(base_file)["loss"])
        longest = 0.0
        for name, own in waiting.items():
            begun = time.monotonic()
            if begun - started + longest > seconds:
                sys.stderr.write("time is up; call again for the rest\n")
                break
            rows = encode(own, backend.tokenizer, max_length=CONFIG.max_length).examples
            trained = train_run(backend, Task(rows, examples, CONFIG, 0, CONFIG.steps_for(len(rows))))
            loss = sum(i.nll for i in trained.evals[-1][1]) / tokens
            write_json(_file(key, name, own), {"gain": base - loss})
            longest = max(longest, time.monotonic() - begun)
            sys.stderr.write(f"{name}: gain {base - loss:.3f} in {time.monotonic() - begun:.0f} s\n")
    return {name: float(read_json(_file(key, name, own))["gain"]) for name, own in sets.items() if _file(key, name, own).is_file()}


def correlate(values: Sequence[float], gains: Sequence[float]) -> dict[str, float]:
    """Return Spearman's rho with a 95 % interval.

    Source: Bonett and Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations", 2000: on Fisher's z,
    the standard error is sqrt((1 + rho^2 / 2) / (n - 3)).
    """
    from scipy.stats import rankdata

    n = len(values)
    a, b = rankdata(values), rankdata(gains)
    rho = float(np.corrcoef(a, b)[0, 1]) if np.std(a) > 0 and np.std(b) > 0 else 0.0
    z, error = math.atanh(max(min(rho, 0.9999), -0.9999)), math.sqrt((1 + rho * rho / 2) / (n - 3))
    return {"rho": round(rho, 3), "low": round(math.tanh(z - 1.96 * error), 3), "high": round(math.tanh(z + 1.96 * error), 3), "sets": n}


def _text(sample: Sample) -> str:
    return f"{prompt_text(sample.record)}\n{completion_text(sample.record)}"


def _reworded(sample: Sample, k: int) -> Sample:
    zh = sample.tags.get("language") == "zh"
    start = (("", "请问，", "您好，", "想了解一下：") if zh else ("", "Please tell me: ", "Hello, ", "I would like to know: "))[k]
    made = question_answer(start + prompt_text(sample.record), completion_text(sample.record))
    return Sample.of(made, provenance=sample.provenance, tags=sample.tags)


def _answered(sample: Sample, other: Sample) -> Sample:
    return Sample.of(question_answer(prompt_text(sample.record), completion_text(other.record)), tags=sample.tags)


def _cut(sample: Sample) -> Sample:
    answer = completion_text(sample.record)
    return Sample.of(question_answer(prompt_text(sample.record), answer[: max(2, len(answer) // 3)]), tags=sample.tags)


def _file(key: str, name: str, own: Sequence[Sample]) -> Path:
    return CACHE / f"{key}-{name}-{fingerprint([s.id for s in own])[:8]}.json"


def main(seconds: float) -> int:
    """Train what fits into the time; with enough sets trained on, correlate, write and print."""
    sets, exam, corpus = make_sets()
    gains = train_sets(sets, exam, seconds)
    sys.stderr.write(f"{len(gains)} of {len(sets)} sets trained on\n")
    if len(gains) < FEWEST:
        return 1
    sets = {name: own for name, own in sets.items() if name in gains}
    values = metrics_of(sets, corpus)
    order = list(sets)
    result = {
        "source": "tests/bench/metric_validity.py: rows of the offline generator about examples/hotel_ota",
        "model": CONFIG.model,
        "config": CONFIG.model_dump(mode="json", include={"epochs", "learning_rate", "batch_size", "rank"}),
        "rows": ROWS,
        "exam": len(exam),
        "gains": {name: round(gains[name], 4) for name in order},
        "values": {metric: {name: round(own[name], 4) for name in order} for metric, own in values.items()},
        "metrics": {metric: correlate([own[n] for n in order], [gains[n] for n in order]) for metric, own in values.items()},
    }
    write_json(REPO / "datagen" / "score" / "metric_validity.json", result)
    sys.stdout.write(json.dumps(result["metrics"], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 270.0))
