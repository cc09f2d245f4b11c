"""Coverage: which share of documents, sections, chunks and facts at least one kept row touches, and where the rows pile up.

A section or chunk is touched if a row's place overlaps it. A fact is touched if a row whose place overlaps its sentence also says it: the
same number with its unit, the same date, the same term; a table row is touched by its place alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from datagen.generate.quantities import states
from datagen.schemas.document import Section
from datagen.score.coverage.corpus import Corpus, RowPlaces
from datagen.score.coverage.facts import Fact, find_facts, sentences
from datagen.score.diversity.lexical import evenness
from datagen.text import Span, estimate_tokens, fold

_FEWEST_EXPECTED = 4.0
_FAR_BELOW = 0.25


@dataclass(frozen=True, slots=True)
class SectionCoverage:
    """One section of a document.

    Attributes:
        rows: positions of the rows that touch it.
        expected: rows it would have if rows fell by length.
        tokens: estimated length without headings.
        facts: all its facts; ``touched`` says which of them a row says.
        uncovered: sentences ``[start, end)`` of the document that no row touches.
        state: ``covered``, ``under_covered`` (less than a quarter of the expected rows, where at least 4 are expected, or none at all),
            ``empty`` (no sentence in it).
    """

    document: str
    heading_path: tuple[str, ...]
    start: int
    end: int
    tokens: int
    rows: tuple[int, ...]
    expected: float
    facts: tuple[Fact, ...]
    touched: tuple[bool, ...]
    uncovered: tuple[Span, ...]
    state: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares in [0, 1] and counts (touched, all) over the whole corpus; ``evenness`` of rows over sections of like length."""

    documents: tuple[int, int]
    sections: tuple[int, int]
    chunks: tuple[int, int]
    facts: dict[str, tuple[int, int]]
    evenness: float
    per_section: tuple[SectionCoverage, ...]
    placed_by: dict[str, int]

    @property
    def facts_share(self) -> float:
        """Touched facts of all kinds over all facts; 1 if there are none."""
        touched, total = (sum(pair[i] for pair in self.facts.values()) for i in (0, 1))
        return touched / total if total else 1.0

    def under_covered(self) -> list[SectionCoverage]:
        """Return the sections rows should be added for, the most facts untouched first."""
        poor = [s for s in self.per_section if s.state == "under_covered"]
        return sorted(poor, key=lambda s: (-(len(s.facts) - sum(s.touched)), s.document, s.start))


def measure_coverage(corpus: Corpus, texts: Sequence[str], places: Sequence[RowPlaces]) -> Coverage:
    """Return the coverage of a corpus by rows.

    Args:
        corpus: the documents.
        texts: question and answer of each row.
        places: where each of these rows belongs (:meth:`Corpus.locate`); a row without a place touches nothing.
    """
    touching: dict[int, list[tuple[int, int, int]]] = {}
    for row, placed in enumerate(places):
        for place in placed.places:
            touching.setdefault(place.document, []).append((place.start, place.end, row))
    total_tokens = sum(_tokens(d.text, s.start, s.end) for d in corpus.documents for s in d.sections) or 1
    rows_placed = sum(1 for placed in places if placed.places)
    folded = [fold(text) for text in texts]
    per_section = [
        _section(corpus, number, section, touching.get(number, []), texts, folded, rows_placed / total_tokens)
        for number, document in enumerate(corpus.documents)
        for section in document.sections
    ]
    real = [s for s in per_section if s.state != "empty"]
    chunks = sum(
        any(a < chunk.end and chunk.start < b for a, b, _ in touching.get(number, []))
        for chunk, number in zip(corpus.passages, corpus.passage_document, strict=True)
    )
    kinds = ("number", "date", "term", "table_row")
    return Coverage(
        documents=(len(touching), len(corpus.documents)),
        sections=(sum(1 for s in real if s.rows), len(real)),
        chunks=(chunks, len(corpus.passages)),
        facts={kind: _count(real, kind) for kind in kinds},
        evenness=evenness([round(1000 * (len(s.rows) + 1e-9) / max(s.tokens, 1)) for s in real]) if rows_placed else 0.0,
        per_section=tuple(per_section),
        placed_by={by: sum(1 for p in places if p.by == by) for by in ("evidence", "retrieval", "none")},
    )


def _section(
    corpus: Corpus,
    number: int,
    section: Section,
    touching: Sequence[tuple[int, int, int]],
    texts: Sequence[str],
    folded: Sequence[str],
    rows_per_token: float,
) -> SectionCoverage:
    document = corpus.documents[number]
    inside = [(a, b, row) for a, b, row in touching if a < section.end and section.start < b]
    own = list(sentences(document.text, section.start, section.end))
    rows = tuple(sorted({row for a, b, row in inside if any(a < s.end and s.start < b for s in own)}))
    facts = find_facts(document, section)
    touched = tuple(
        any(_says(texts[row], folded[row], fact) for row in sorted({r for a, b, r in inside if a < fact.end and fact.start < b}))
        for fact in facts
    )
    tokens = sum(estimate_tokens(document.text[s.start : s.end]) for s in own)
    expected = tokens * rows_per_token
    poor = not rows or (expected >= _FEWEST_EXPECTED and len(rows) < _FAR_BELOW * expected)
    return SectionCoverage(
        document=document.path,
        heading_path=section.heading_path,
        start=section.start,
        end=section.end,
        tokens=tokens,
        rows=rows,
        expected=expected,
        facts=tuple(facts),
        touched=touched,
        uncovered=tuple(s for s in own if not any(a < s.end and s.start < b for a, b, _ in inside)),
        state="empty" if not own else ("under_covered" if poor else "covered"),
    )


def _says(text: str, folded: str, fact: Fact) -> bool:
    if fact.kind == "table_row":
        return True
    if fact.quantity is not None:
        return states(text, fact.quantity)
    return fold(fact.text) in folded


def _count(sections: Sequence[SectionCoverage], kind: str) -> tuple[int, int]:
    pairs = [hit for s in sections for fact, hit in zip(s.facts, s.touched, strict=True) if fact.kind == kind]
    return sum(pairs), len(pairs)


def _tokens(text: str, start: int, end: int) -> int:
    return sum(estimate_tokens(text[s.start : s.end]) for s in sentences(text, start, end))
