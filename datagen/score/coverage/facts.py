"""Facts of a document: what a set of rows can be counted against. Numbers, dates and times, named terms, table rows, each with its place.

Rules, no model: a fact here is something a reader could be asked for and could get wrong.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from datagen.generate.quantities import Quantity, quantities
from datagen.schemas.document import Document, Section
from datagen.text import CJK, Span, split_sentences

Kind = Literal["number", "date", "term", "table_row"]
TABLE_LINE = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.M)
_DELIMITER = re.compile(r"^[ \t]*\|[ \t:|\-]+\|[ \t]*$")
_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}\s")
_TERM = re.compile(
    r"《(?P<a>[^》\n]{2,24})》|「(?P<b>[^」\n]{2,16})」|“(?P<c>[^”\n]{2,16})”|\*\*(?P<d>[^*\n]{2,24})\*\*"
    rf"|(?<![A-Za-z.!?] )(?<!^)\b(?P<e>(?:[A-Z][\w&'\-]+ ){{1,3}}[A-Z][\w&'\-]+)"
    rf"|(?<=[{CJK}])\s?(?P<f>[A-Z][A-Za-z0-9\-]{{1,19}})(?![A-Za-z])"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact and the sentence or table row ``[start, end)`` of the document that states it."""

    kind: Kind
    start: int
    end: int
    text: str
    quantity: Quantity | None = None


def find_facts(document: Document, section: Section) -> list[Fact]:
    """Return a section's facts in text order; each named term once. Headings are not sentences, table headers not rows."""
    found: list[Fact] = []
    terms: set[str] = set()
    for span in sentences(document.text, section.start, section.end):
        text = document.text[span.start : span.end]
        if TABLE_LINE.fullmatch(text.strip("\n")):
            found.append(Fact("table_row", span.start, span.end, text.strip()))
        for quantity in dict.fromkeys(quantities(text)):
            kind: Kind = "date" if quantity.kind in ("date", "time") else "number"
            found.append(Fact(kind, span.start, span.end, quantity.text, quantity))
        for match in _TERM.finditer(text):
            term = next(group for group in match.groups() if group).strip("*：: ")
            if term and term not in terms and not term.isdigit():
                terms.add(term)
                found.append(Fact("term", span.start, span.end, term))
    return found


def sentences(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the sentences and table rows of ``text[start:end]``: no headings, no table headers and rules, nothing blank."""
    lines: list[Span] = []
    at = start
    for line in text[start:end].splitlines(keepends=True):
        lines.append(Span(at, at + len(line)))
        at += len(line)
    for i, span in enumerate(lines):
        line = text[span.start : span.end].rstrip("\r\n")
        if not line.strip() or _HEADING.match(line):
            continue
        if TABLE_LINE.fullmatch(line):
            following = text[lines[i + 1].start : lines[i + 1].end].rstrip("\r\n") if i + 1 < len(lines) else ""
            if not _DELIMITER.fullmatch(line) and not _DELIMITER.fullmatch(following):
                yield Span(span.start, span.start + len(line))
            continue
        for sentence in split_sentences(line):
            if line[sentence.start : sentence.end].strip():
                yield Span(span.start + sentence.start, span.start + sentence.end)
