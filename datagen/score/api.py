"""``audit``: what is in this dataset, and is it any good?

    >>> from datagen import audit
    >>> result = audit("data/hotel.json", docs="docs")
    >>> result.counts()
    {'exact_duplicate': 14, 'unsupported_number': 3}
    >>> result.area("coverage").todo.en
    'Write rows for these first: ...'

Works on any dataset file, with or without provenance, and on a LLaMA-Factory directory. Nothing is changed on disk; the same input
gives the same result.
"""

import resource
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from datagen.collection import no_collection
from datagen.export.size_advice import advise
from datagen.schemas.document import Document
from datagen.schemas.sample import Sample
from datagen.score.balance import measure_balance
from datagen.score.coverage.corpus import Corpus, RowPlaces
from datagen.score.coverage.grounding import OFF_TOPIC_BELOW, check_grounding
from datagen.score.coverage.measure import measure_coverage
from datagen.score.defects import SCORERS, score_rows
from datagen.score.defects.personal import find_emails, find_phones
from datagen.score.diversity.embedding import embed_texts, project
from datagen.score.diversity.measure import MAX_EMBEDDED, Metric, choose_rows, measure_diversity
from datagen.score.diversity.topics import Topics, find_topics
from datagen.score.duplicates import find_conflicts, find_leaked, find_repeats
from datagen.score.frame import build_frame
from datagen.score.result import AuditResult, Finding
from datagen.score.source import Source, open_source
from datagen.score.verdicts import judge_areas

if TYPE_CHECKING:
    import polars as pl


class RowModel(Protocol):
    """Something that scores rows with a model: one column of float64 per score, in row order; NaN where a row has no value."""

    def score(self, samples: Sequence[Sample]) -> "pl.DataFrame": ...


def audit(
    data: Path | str | Sequence[Sample],
    *,
    docs: Path | str | Sequence[Document] | None = None,
    against: Path | str | Sequence[Sample] | None = None,
    name: str | None = None,
    models: Sequence[RowModel] = (),
    on_stage: Callable[[str], None] | None = None,
) -> AuditResult:
    """Audit a dataset.

    Args:
        data: a dataset file, a ``dataset_info.json`` or its folder, or samples.
        docs: the documents the rows are about (a folder, or ingested ones): adds grounding and coverage.
        against: an evaluation set: adds leakage. In a LLaMA-Factory directory ``<name>_eval`` is looked for by itself.
        name: an entry of ``dataset_info.json``; default: all local ones together.
        models: model-based scorers; their columns join ``scores``.
        on_stage: called with the name of each stage as it begins.

    Raises:
        UsageError: a path does not exist or holds nothing of the kind.
        DataError: no row can be read.
    """
    with no_collection():
        return _audit(data, docs, against, name, models, _Clock(on_stage))


def _audit(
    data: Path | str | Sequence[Sample],
    docs: Path | str | Sequence[Document] | None,
    against: Path | str | Sequence[Sample] | None,
    name: str | None,
    models: Sequence[RowModel],
    clock: "_Clock",
) -> AuditResult:
    with clock.stage("read"):
        source, evaluation, leaked_into = _open(data, against, name)
        frame = build_frame(source.rows)
    with clock.stage("duplicates"):
        duplicates = find_repeats(source.samples)
        leaks = find_leaked(source.samples, evaluation) if evaluation else {}
    with clock.stage("scores"):
        scores = score_rows(frame)
    with clock.stage("diversity"):
        embedded, metrics, topics, places_2d = _diversity(frame)
    findings = [Finding(-1, u.dataset, u.line, "unreadable_row", 1.0, u.message) for u in source.unreadable]
    for row, duplicate in duplicates.duplicates.items():
        kept = source.rows[duplicate.kept_row]
        what = f"of {kept.dataset}:{kept.line}, similarity {duplicate.similarity:.2f}"
        findings.append(_finding(source, row, duplicate.reason, duplicate.similarity, what))
    for row, leak in leaks.items():
        findings.append(_finding(source, row, "leak", leak.score, f"{leak.rule} with row {leak.eval_row + 1} of {leaked_into}"))
    corpus, places = None, list[RowPlaces]()
    findings += _flagged(source, frame, scores)
    if docs is not None:
        with clock.stage("documents"):
            corpus = Corpus(_documents(docs))
            places = corpus.locate(source.samples, least_support=OFF_TOPIC_BELOW)
            flaws = check_grounding(corpus, source.samples, places)
            findings += [_finding(source, f.row, f.code, f.value, f.what) for f in flaws]
            findings = [f for f in findings if not _documented(f, corpus)]
    dropped = frozenset(f.row for f in findings if f.dropped and f.row >= 0)
    conflicts = find_conflicts(frame, dropped)
    for group in conflicts:
        for row in group:
            others = ", ".join(f"{source.rows[o].dataset}:{source.rows[o].line}" for o in group if o != row)
            findings.append(_finding(source, row, "conflicting_answers", float(len(group)), f"other answers in {others}"))
    coverage = None
    if corpus is not None:
        with clock.stage("coverage"):
            # Dropped rows keep their number and lose their place.
            kept = [RowPlaces((), "dropped", p.support, p.passages) if i in dropped else p for i, p in enumerate(places)]
            coverage = measure_coverage(corpus, (frame["prompt"] + "\n" + frame["completion"]).to_list(), kept)
    if models:
        with clock.stage("models"):
            scores = scores.hstack([column for model in models for column in model.score(source.samples).get_columns()])
    result = AuditResult(
        source=source,
        frame=frame,
        scores=scores,
        findings=sorted(findings, key=lambda f: (f.row, f.dataset, f.line, f.code)),
        duplicates=duplicates,
        conflicts=conflicts,
        leaked_into=leaked_into,
        metrics=metrics,
        embedded=embedded,
        topics=topics,
        places_2d=places_2d,
        balance=measure_balance(frame, scores),
        coverage=coverage,
        corpus=corpus,
        places=places,
    )
    result.size = advise([row.sample for i, row in enumerate(source.rows) if i not in dropped])
    result.areas = judge_areas(result)
    result.seconds = clock.seconds
    result.peak_rss_mb = peak_rss_mb()
    return result


def peak_rss_mb() -> float:
    """Return the largest resident size this process has had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


class _Clock:
    def __init__(self, on_stage: Callable[[str], None] | None) -> None:
        self.seconds: dict[str, float] = {}
        self._tell = on_stage

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        if self._tell:
            self._tell(name)
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


def _open(
    data: Path | str | Sequence[Sample], against: Path | str | Sequence[Sample] | None, name: str | None
) -> tuple[Source, list[Sample], str]:
    """Open the rows and the evaluation set; entries ``x_eval`` beside ``x_train`` are evaluation, not training."""
    source = open_source(data, name=name)
    if against is not None:
        evaluation = open_source(against)
        return source, evaluation.samples, evaluation.name
    names = {row.dataset for row in source.rows}
    held_out = {n for n in names if n.endswith("_eval") and f"{n.removesuffix('_eval')}_train" in names}
    if not held_out:
        return source, [], ""
    trained = Source(source.name, [r for r in source.rows if r.dataset not in held_out], source.unreadable, source.skipped)
    return trained, [r.sample for r in source.rows if r.dataset in held_out], ", ".join(sorted(held_out))


def _documents(docs: Path | str | Sequence[Document]) -> list[Document]:
    if not isinstance(docs, str | Path):
        return list(docs)
    from datagen.ingest import ingest_paths

    return ingest_paths([Path(docs)]).documents


def _diversity(frame: "pl.DataFrame") -> tuple[list[int], list[Metric], Topics, list[tuple[float, float]]]:
    chosen = choose_rows(frame.height, MAX_EMBEDDED)
    texts = (frame["prompt"] + "\n" + frame["completion"])[chosen].to_list()
    vectors = embed_texts(texts)
    places = project(vectors) if len(texts) > 1 else [[0.0, 0.0]] * len(texts)
    return chosen, measure_diversity(texts, vectors), find_topics(texts, vectors), [(float(x), float(y)) for x, y in places]


def _flagged(source: Source, frame: "pl.DataFrame", scores: "pl.DataFrame") -> list[Finding]:
    found: list[Finding] = []
    for scorer in SCORERS:
        if scorer.limit is None:
            continue
        values = scores[scorer.name]
        for row in (values >= scorer.limit).arg_true().to_list():
            what = scorer.found(frame[scorer.column][row]) if scorer.found else ""
            if scorer.found and not what:
                # The other text of the row is meant.
                what = scorer.found(frame["prompt" if scorer.column == "completion" else "completion"][row])
            found.append(_finding(source, row, scorer.name, float(values[row]), what))
    return found


def _finding(source: Source, row: int, code: str, value: float, what: str) -> Finding:
    return Finding(row, source.rows[row].dataset, source.rows[row].line, code, value, what)


def _documented(finding: Finding, corpus: Corpus) -> bool:
    """Say whether all of a personal-data finding stands in the documents: then it is the company's own contact, not a person's."""
    find = {"pii_email": find_emails, "pii_phone": find_phones}.get(finding.code)
    contacts = find(finding.what) if find else []
    return bool(contacts) and all(any(contact in document.text for document in corpus.documents) for contact in contacts)
