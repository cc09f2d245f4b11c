"""Documents to chunks: passages under a token budget that never cut a sentence, a table row or a list item.

Laws (property-tested): ``document.text[c.start:c.end] == c.text``; chunks are in order and disjoint; together they hold every
character that is not white space; a chunk is over the budget only if it is one table row or has no place to cut.
"""

import re
from collections.abc import Iterator

from datagen.schemas.document import Chunk, Document, Section
from datagen.text import CJK, Span, estimate_tokens, split_sentences

TABLE_ROW = re.compile(r"[ \t]*\|")
LIST_ITEM = re.compile(r"[ \t]*(?:[-*+•·●▪]\s|\d{1,3}[.)、．](?!\d)|[(（]\d{1,3}[)）]|[①-⑳]|(?:问|答|Q|A)[:：])")
HEADING = re.compile(r"[ \t]{0,3}#{1,6}\s")
BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
LINE = re.compile(r"\n")
CLAUSE = re.compile(r"[，,、；;：:]\s*|\s+")
# A line break inside a sentence that was wrapped by hand: no sentence mark before it, the next line goes on in small letters or in Chinese.
WRAPPED = re.compile(rf"(?<=[^\s。！？；：…|.!?;:])[ \t]*\n(?=[ \t]*[a-z{CJK}])")


def chunk_document(document: Document, *, max_tokens: int = 512) -> list[Chunk]:
    """Cut a document into chunks, in order, disjoint, together covering all text that is not blank.

    Neighbouring sections under the same top heading share a chunk while they fit; a section that does not fit is cut evenly between
    paragraphs, table rows and list items, then sentences; as a last resort a sentence is cut at clause marks, and without any mark by
    length. A heading stays with what follows it. ``heading_path`` is that of the chunk's start. Token counts are estimates
    (``datagen.text.estimate_tokens``). Deterministic.
    """
    chunks: list[Chunk] = []
    start = end = -1
    path: tuple[str, ...] = ()
    held = 0
    for section in document.sections:
        size = estimate_tokens(document.text[section.start : section.end])
        if start >= 0 and held + size <= max_tokens and _related(path, section.heading_path):
            end, held = section.end, held + size
            continue
        if start >= 0:
            chunks.extend(_cut(document, start, end, path))
            start = -1
        if size <= max_tokens:
            start, end, path, held = section.start, section.end, section.heading_path, size
        else:
            for piece in _pieces(document.text, section, size, max_tokens):
                chunks.extend(_cut(document, piece.start, piece.end, section.heading_path))
    if start >= 0:
        chunks.extend(_cut(document, start, end, path))
    return chunks


def _related(first: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Sections under the same top heading may share a chunk, and so may an opening without a heading with what follows."""
    return first[:1] == other[:1] or not first


def _cut(document: Document, start: int, end: int, path: tuple[str, ...]) -> Iterator[Chunk]:
    text = document.text[start:end]
    stripped = text.strip()
    if stripped:
        left = start + len(text) - len(text.lstrip())
        yield Chunk.of(document, left, left + len(stripped), path, estimate_tokens(stripped))


def _pieces(text: str, section: Section, size: int, max_tokens: int) -> Iterator[Span]:
    """Pack the section's smallest uncuttable units into pieces of about equal size under the budget."""
    wanted = size / -(-size // max_tokens)
    start = section.start
    held = 0
    # Units leave room for the heading, so that it can stay with the first of them.
    heading = estimate_tokens(text[section.start : section.end].split("\n", 1)[0])
    limit = max_tokens - heading if heading <= max_tokens // 2 else max_tokens
    for unit in _units(text, section.start, section.end, limit):
        unit_size = estimate_tokens(text[unit.start : unit.end])
        over = held + unit_size > max_tokens
        only_heading = HEADING.match(text[start : unit.start]) and "\n" not in text[start : unit.start].strip()
        if held and (over or (held + unit_size / 2 > wanted and not only_heading)):
            yield Span(start, unit.start)
            start, held = unit.start, 0
        held += unit_size
    yield Span(start, section.end)


def _units(text: str, start: int, end: int, max_tokens: int) -> Iterator[Span]:
    """Yield paragraphs; one over the budget by table row and list item, then by sentence, then by clause."""
    for block in _split(text, start, end, BLANK_LINES):
        if estimate_tokens(text[block.start : block.end]) <= max_tokens:
            yield block
            continue
        for item in _items(text, block):
            passage = text[item.start : item.end]
            if estimate_tokens(passage) <= max_tokens or TABLE_ROW.match(passage):
                yield item
                continue
            # Same length, so that offsets hold.
            unwrapped = WRAPPED.sub(lambda match: " " * len(match[0]), passage)
            for sentence in split_sentences(unwrapped):
                span = Span(item.start + sentence.start, item.start + sentence.end)
                if estimate_tokens(text[span.start : span.end]) <= max_tokens:
                    yield span
                else:
                    yield from _clauses(text, span, max_tokens)


def _items(text: str, block: Span) -> Iterator[Span]:
    """Yield table rows and list items with their continuation lines; runs of other lines stay together."""
    start = block.start
    in_table = False
    for line in _split(text, block.start, block.end, LINE):
        row = TABLE_ROW.match(text, line.start, line.end) is not None
        if line.start > start and (row or in_table or LIST_ITEM.match(text, line.start, line.end)):
            yield Span(start, line.start)
            start = line.start
        in_table = row
    yield Span(start, block.end)


def _clauses(text: str, span: Span, max_tokens: int) -> Iterator[Span]:
    start, held = span.start, 0
    # Without any clause mark, cut blindly: half the budget in characters is under it in either language.
    step = max(max_tokens // 2, 1)
    for clause in _split(text, span.start, span.end, CLAUSE):
        fits = estimate_tokens(text[clause.start : clause.end]) <= max_tokens
        for at in range(clause.start, clause.end, len(text) if fits else step):
            piece = clause if fits else Span(at, min(at + step, clause.end))
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
