"""What an audit returns: every figure, every finding with its place, and a verdict per area. Plain data, no judgement made here."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from datagen.export.size_advice import SizeAdvice
from datagen.jsonl import JsonObject
from datagen.score.balance import Balance, percentiles
from datagen.score.coverage.corpus import Corpus, RowPlaces
from datagen.score.coverage.measure import Coverage
from datagen.score.diversity.measure import Metric
from datagen.score.diversity.topics import Topics
from datagen.score.source import Source

if TYPE_CHECKING:
    import polars as pl

    from datagen.dedup.batch import Found

State = Literal["good", "look", "act", "unknown"]
DROPPED_BY_DEFAULT = ("unreadable_row", "empty_answer", "empty_prompt", "exact_duplicate", "near_duplicate", "leak")
"""Defects no one wants. Everything else orders a review: most selection by self-made scores does not beat a random subset."""


class Finding(NamedTuple):
    """A flaw of a row. ``row`` counts readable rows from 0, -1 for an unreadable one; ``value`` is the scorer's; ``what`` is for people."""

    row: int
    dataset: str
    line: int
    code: str
    value: float
    what: str

    @property
    def dropped(self) -> bool:
        """Whether the row is dropped by default."""
        return self.code in DROPPED_BY_DEFAULT


@dataclass(frozen=True, slots=True)
class Sentence:
    """The same statement in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Area:
    """A verdict on one side of the data: ``good``, ``look`` (read the rows named), ``act`` (change it), ``unknown`` (not measured)."""

    name: str
    state: State
    finding: Sentence
    todo: Sentence


@dataclass(slots=True)
class AuditResult:
    """Everything an audit knows.

    Attributes:
        source: the rows as read.
        frame: one line per readable row (:mod:`datagen.score.frame`).
        scores: one column per scorer, same order; model-based columns too, if a model was given.
        findings: by row, then code.
        duplicates: clusters and, per dropped row, why.
        conflicts: rows that answer one question differently, by first row.
        leaked_into: name of the evaluation set that leaks were looked for in, '' for none.
        metrics: diversity at equal size; embedded: the rows they, topics and ``places_2d`` were computed on.
        coverage, corpus, places: None and empty without documents.
        judged: rows a judge graded, if one was asked.
        seconds: by stage. peak_rss_mb: of the process.
    """

    source: Source
    frame: "pl.DataFrame"
    scores: "pl.DataFrame"
    findings: list[Finding]
    duplicates: "Found"
    conflicts: list[list[int]]
    leaked_into: str
    metrics: list[Metric]
    embedded: list[int]
    topics: Topics
    places_2d: list[tuple[float, float]]
    balance: Balance
    coverage: Coverage | None
    corpus: Corpus | None
    places: list[RowPlaces]
    areas: list[Area] = field(default_factory=list[Area])
    size: list[SizeAdvice] = field(default_factory=list[SizeAdvice])
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    peak_rss_mb: float = 0.0

    @property
    def dropped_rows(self) -> list[int]:
        """Readable rows that are dropped by default, ascending."""
        return sorted({f.row for f in self.findings if f.dropped and f.row >= 0})

    @property
    def kept(self) -> int:
        """Rows that stay by default."""
        return len(self.source.rows) - len(self.dropped_rows)

    def counts(self) -> dict[str, int]:
        """Return rows per finding code, most frequent first."""
        return dict(Counter(f.code for f in self.findings).most_common())

    def review_queue(self) -> list[int]:
        """Return the kept rows with findings, the most findings first, then by row."""
        dropped = set(self.dropped_rows)
        own = Counter(f.row for f in self.findings if f.row not in dropped and f.row >= 0)
        return [row for row, _ in sorted(own.items(), key=lambda item: (-item[1], item[0]))]

    def model_scores(self) -> dict[str, dict[str, float]]:
        """Return, for each model-based score, over how many rows it is known and its percentiles p5, p50, p95."""
        from datagen.score.defects import SCORERS

        own = [c for c in self.scores.columns if c != "row" and c not in {s.name for s in SCORERS}]
        found: dict[str, dict[str, float]] = {}
        for name in own:
            values = self.scores[name].drop_nans()
            if len(values):
                found[name] = {"rows": float(len(values)), **percentiles(values)}
        return found

    def area(self, name: str) -> Area:
        """Return the verdict on an area."""
        return next(area for area in self.areas if area.name == name)

    def to_json(self) -> JsonObject:
        """Return the result as JSON; rows are named by dataset and line, lists are complete."""
        return {
            "file": self.source.name,
            "rows": self.source.n_rows,
            "kept": self.kept,
            "unreadable": len(self.source.unreadable),
            "skipped_entries": list(self.source.skipped),
            "areas": [{"area": a.name, "verdict": a.state, "finding": _both(a.finding), "todo": _both(a.todo)} for a in self.areas],
            "defects": self.counts(),
            "findings": [
                {
                    "row": f.row,
                    "dataset": f.dataset,
                    "line": f.line,
                    "code": f.code,
                    "value": round(f.value, 4),
                    "what": f.what[:200],
                    "dropped": f.dropped,
                }
                for f in self.findings
            ],
            "duplicates": {"clusters": self.duplicates.clusters, "rows": len(self.duplicates.duplicates)},
            "conflicts": self.conflicts,
            "leaks_against": self.leaked_into,
            "lengths": self.balance.lengths,
            "diversity": {m.name: {"value": round(m.value, 4), "sd": round(m.sd, 4), "at": m.n, "unit": m.unit} for m in self.metrics},
            "topics": {
                "evenness": round(self.topics.evenness, 4),
                "topics": [{"terms": list(t.terms), "share": round(t.share, 4)} for t in self.topics.topics],
            },
            "balance": self.balance.to_json(),
            "model_scores": self.model_scores(),
            "coverage": None if self.coverage is None else coverage_json(self.coverage),
            "size": [advice.to_json() for advice in self.size],
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
            "peak_rss_mb": round(self.peak_rss_mb),
        }


def coverage_json(coverage: Coverage) -> JsonObject:
    """Return coverage as JSON; ``under_covered`` lists sections with what no row says."""

    def pair(value: tuple[int, int]) -> JsonObject:
        return {"touched": value[0], "all": value[1], "share": round(value[0] / value[1], 4) if value[1] else 1.0}

    listed: list[dict[str, Any]] = [
        {
            "document": s.document,
            "section": " > ".join(s.heading_path),
            "start": s.start,
            "end": s.end,
            "rows": len(s.rows),
            "expected_rows": round(s.expected, 1),
            "uncovered_facts": [f.text for f, hit in zip(s.facts, s.touched, strict=True) if not hit],
        }
        for s in coverage.under_covered()
    ]
    return {
        "documents": pair(coverage.documents),
        "sections": pair(coverage.sections),
        "chunks": pair(coverage.chunks),
        "facts": {kind: pair(value) for kind, value in coverage.facts.items()},
        "facts_share": round(coverage.facts_share, 4),
        "evenness": round(coverage.evenness, 4),
        "placed_by": coverage.placed_by,
        "under_covered": listed,
    }


def _both(sentence: Sentence) -> JsonObject:
    return {"zh": sentence.zh, "en": sentence.en}
