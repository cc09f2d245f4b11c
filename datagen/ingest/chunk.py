"""Documents to chunks: passages under a token budget that never cut a sentence, a table row or a list item."""

import re
from collections.abc import Iterator

from datagen.schemas.document import Chunk, Document, Section
from datagen.text import Span, estimate_tokens, split_sentences

TABLE_ROW = re.compile(r"\s*\|")
CLAUSE = re.compile(r"[，,、；;：:]\s*|\s+")


def chunk_document(document: Document, *, max_tokens: int = 512) -> list[Chunk]:
    """Cut a document into chunks, in order, disjoint, together covering all text that is not blank.

    Neighbouring sections share a chunk while they fit; a section that does not fit is cut between paragraphs, table rows, list
    items, then sentences; a sentence over the budget at clause marks. ``chunk.text == document.text[chunk.start:chunk.end]``;
    ``heading_path`` is the first section's. Token counts are estimates (``datagen.text.estimate_tokens``). Deterministic.
    """
    chunks: list[Chunk] = []
    start = end = -1
    path: tuple[str, ...] = ()
    held = 0
    for section in document.sections:
        size = estimate_tokens(document.text[section.start : section.end])
        # A chunk that opens at a heading should not begin with the tail of another: only whole sections are merged.
        if start >= 0 and held + size <= max_tokens and _related(path, section.heading_path):
            end, held = section.end, held + size
            continue
        if start >= 0:
            chunks.extend(_cut(document, start, end, path))
            start = -1
        if size <= max_tokens:
            start, end, path, held = section.start, section.end, section.heading_path, size
        else:
            for piece in _pieces(document.text, section, max_tokens):
                chunks.extend(_cut(document, piece.start, piece.end, section.heading_path))
    if start >= 0:
        chunks.extend(_cut(document, start, end, path))
    return chunks


def _related(first: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Sections under the same parent, or a section and its children, may share a chunk."""
    return first[:1] == other[:1] or not first


def _cut(document: Document, start: int, end: int, path: tuple[str, ...]) -> Iterator[Chunk]:
    text = document.text[start:end]
    stripped = text.strip()
    if stripped:
        left = start + len(text) - len(text.lstrip())
        yield Chunk.of(document, left, left + len(stripped), path, estimate_tokens(stripped))


def _pieces(text: str, section: Section, max_tokens: int) -> Iterator[Span]:
    """Pack the section's smallest uncuttable units into pieces under the budget."""
    start = section.start
    held = 0
    for unit in _units(text, section.start, section.end, max_tokens):
        size = estimate_tokens(text[unit.start : unit.end])
        if held and held + size > max_tokens:
            yield Span(start, unit.start)
            start, held = unit.start, 0
        held += size
    yield Span(start, section.end)


def _units(text: str, start: int, end: int, max_tokens: int) -> Iterator[Span]:
    """Yield paragraphs; those over the budget by line (table rows and list items), sentence, then clause."""
    for block in _split(text, start, end, re.compile(r"\n[ \t]*\n\s*")):
        if estimate_tokens(text[block.start : block.end]) <= max_tokens:
            yield block
            continue
        for line in _split(text, block.start, block.end, re.compile(r"\n")):
            if estimate_tokens(text[line.start : line.end]) <= max_tokens or TABLE_ROW.match(text[line.start : line.end]):
                yield line
                continue
            for sentence in split_sentences(text[line.start : line.end]):
                span = Span(line.start + sentence.start, line.start + sentence.end)
                if estimate_tokens(text[span.start : span.end]) <= max_tokens:
                    yield span
                else:
                    yield from _clauses(text, span, max_tokens)


def _clauses(text: str, span: Span, max_tokens: int) -> Iterator[Span]:
    start, held = span.start, 0
    for clause in _split(text, span.start, span.end, CLAUSE):
        # Without any clause mark, cut blindly: half the budget in characters is under it in either language.
        for at in range(clause.start, clause.end, max(max_tokens // 2, 1)):
            piece = Span(at, min(at + max(max_tokens // 2, 1), clause.end))
            size = estimate_tokens(text[piece.start : piece.end])
            if held and held + size > max_tokens:
                yield Span(start, piece.start)
                start, held = piece.start, 0
            held += size
    yield Span(start, span.end)


def _split(text: str, start: int, end: int, mark: re.Pattern[str]) -> Iterator[Span]:
    """Split after each mark; the spans cover ``[start, end)``."""
    at = start
    for match in mark.finditer(text, start, end):
        if match.end() > at:
            yield Span(at, match.end())
            at = match.end()
    if at < end:
        yield Span(at, end)
