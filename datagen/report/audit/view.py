"""What the audit page shows, gathered from an :class:`AuditResult`: plain rows for the template, clipped and counted."""

from collections.abc import Sequence
from dataclasses import dataclass

from datagen.hashing import sha256_hex
from datagen.score.coverage.measure import SectionCoverage
from datagen.score.result import DROPPED_BY_DEFAULT, AuditResult, Finding

WORST = 8
GROUPS = 10
MEMBERS = 4
SAMPLE = 20
EXTREMES = 3
DOCUMENTS = 60
LONGEST_SECTION = 6000


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row on the page."""

    place: str
    question: str
    answer: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Defect:
    """A kind of finding with its worst rows."""

    code: str
    rows: int
    share: float
    dropped: bool
    worst: list[ShownRow]


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """Rows a reason takes out, and how many are left."""

    code: str
    rows: int
    left: int


@dataclass(frozen=True, slots=True)
class ModelScore:
    """A model-based score, its percentiles and the rows to read first."""

    name: str
    marks: dict[str, float]
    worst: list[ShownRow]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a section's text; ``missed`` if no row says it."""

    text: str
    missed: bool


@dataclass(frozen=True, slots=True)
class ShownSection:
    heading: str
    state: str
    rows: int
    expected: float
    hit: int
    facts: int
    missing: list[str]
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class ShownDocument:
    path: str
    rows: int
    hit: int
    facts: int
    poor: int
    sections: list[ShownSection]


def defects(result: AuditResult) -> list[Defect]:
    """Return the kinds of findings, dropped ones first, then by number of rows."""
    by_code: dict[str, list[Finding]] = {}
    for finding in result.findings:
        if finding.row >= 0:
            by_code.setdefault(finding.code, []).append(finding)
    total = max(len(result.source.rows), 1)
    shown = [
        Defect(
            code,
            len(found),
            len(found) / total,
            found[0].dropped,
            [row_of(result, f.row, f.what) for f in sorted(found, key=lambda f: (-f.value, f.row))[:WORST]],
        )
        for code, found in by_code.items()
    ]
    return sorted(shown, key=lambda d: (not d.dropped, -d.rows, d.code))


def funnel(result: AuditResult) -> list[FunnelStep]:
    """Return how rows are lost by default; a row is counted under its first reason, in the order of ``DROPPED_BY_DEFAULT``."""
    left = result.source.n_rows
    reasons: dict[tuple[str, int, int], str] = {}
    for code in DROPPED_BY_DEFAULT:
        for f in result.findings:
            if f.code == code:
                reasons.setdefault((f.dataset, f.row, f.line), code)
    steps: list[FunnelStep] = []
    for code in DROPPED_BY_DEFAULT:
        n = sum(1 for reason in reasons.values() if reason == code)
        if n:
            left -= n
            steps.append(FunnelStep(code, n, left))
    return steps


def clusters(result: AuditResult) -> list[list[ShownRow]]:
    """Return the largest duplicate clusters, the kept row first, a few members each."""
    largest = sorted(result.duplicates.clusters, key=lambda c: (-len(c), c[0]))[:GROUPS]
    duplicates = result.duplicates.duplicates
    return [
        [row_of(result, i, f"{duplicates[i].reason} {duplicates[i].similarity:.2f}" if i in duplicates else "") for i in c[:MEMBERS]]
        for c in largest
    ]


def conflicts(result: AuditResult) -> list[list[ShownRow]]:
    """Return the first conflicts, side by side."""
    return [[row_of(result, i) for i in group[:MEMBERS]] for group in result.conflicts[:GROUPS]]


def leaks(result: AuditResult) -> list[ShownRow]:
    """Return the leaking rows, at most a screenful."""
    return [row_of(result, f.row, f.what) for f in result.findings if f.code == "leak"][: 2 * WORST]


def models(result: AuditResult) -> list[ModelScore]:
    """Return the model-based scores with the rows to read first: lowest grades, highest losses."""
    shown: list[ModelScore] = []
    for name, marks in result.model_scores().items():
        values = result.scores[name].to_list()
        known = [i for i, value in enumerate(values) if value == value]
        order = sorted(known, key=lambda i: (values[i] if name.startswith("judge") else -values[i], i))
        shown.append(ModelScore(name, marks, [row_of(result, i, f"{values[i]:.3g}") for i in order[:WORST]]))
    return shown


def extremes(result: AuditResult, column: str) -> tuple[list[ShownRow], list[ShownRow]]:
    """Return the longest and the shortest rows by a length score."""
    values = result.scores[column].to_list()
    order = sorted(range(len(values)), key=lambda i: (values[i], i))
    longest, shortest = order[::-1][:EXTREMES], order[:EXTREMES]
    return [_measured(result, i, values[i]) for i in longest], [_measured(result, i, values[i]) for i in shortest]


def sample(result: AuditResult) -> list[ShownRow]:
    """Return a fixed pseudo-random choice of rows."""
    order = sorted(range(len(result.source.rows)), key=lambda i: sha256_hex(f"shown:{result.source.rows[i].sample.id}:{i}"))
    return [row_of(result, i) for i in sorted(order[:SAMPLE])]


def documents(result: AuditResult) -> list[ShownDocument]:
    """Return the documents, those with the most missed facts first."""
    if result.coverage is None or result.corpus is None:
        return []
    texts = {document.path: document.text for document in result.corpus.documents}
    by_document: dict[str, list[SectionCoverage]] = {}
    for section in result.coverage.per_section:
        if section.state != "empty":
            by_document.setdefault(section.document, []).append(section)
    shown = [_document(path, sections, texts[path]) for path, sections in by_document.items()]
    return sorted(shown, key=lambda d: (-(d.facts - d.hit), d.path))


def row_of(result: AuditResult, row: int, what: str = "") -> ShownRow:
    """Return a row as the page shows it."""
    at = result.source.rows[row]
    return ShownRow(f"{at.dataset}:{at.line}", str(result.frame["prompt"][row]), str(result.frame["completion"][row]), what)


def _measured(result: AuditResult, row: int, tokens: float) -> ShownRow:
    return row_of(result, row, f"{tokens:.0f}")


def _document(path: str, sections: Sequence[SectionCoverage], text: str) -> ShownDocument:
    return ShownDocument(
        path,
        len({row for s in sections for row in s.rows}),
        sum(sum(s.touched) for s in sections),
        sum(len(s.facts) for s in sections),
        sum(s.state == "under_covered" for s in sections),
        [_section(s, text) for s in sections],
    )


def _section(section: SectionCoverage, text: str) -> ShownSection:
    missing = list(dict.fromkeys(f.text for f, hit in zip(section.facts, section.touched, strict=True) if not hit))
    return ShownSection(
        " › ".join(section.heading_path) or "–",
        section.state,
        len(section.rows),
        section.expected,
        sum(section.touched),
        len(section.facts),
        missing,
        _pieces(section, text),
    )


def _pieces(section: SectionCoverage, text: str) -> list[Piece]:
    pieces: list[Piece] = []
    at, end = section.start, min(section.end, section.start + LONGEST_SECTION)
    for span in section.uncovered:
        if span.start >= end:
            break
        pieces += [Piece(text[at : span.start], missed=False), Piece(text[span.start : min(span.end, end)], missed=True)]
        at = min(span.end, end)
    pieces.append(Piece(text[at:end] + (f" … (+{section.end - end})" if section.end > end else ""), missed=False))
    return [piece for piece in pieces if piece.text]
