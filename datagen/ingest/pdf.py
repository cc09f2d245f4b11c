"""PDF text layers to Markdown: lines joined to paragraphs, tables by column gaps, headings by type size, running heads removed.

Where all text has one size, headings are found by their numbering alone: a short line that merely stands alone is not one.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from datagen.ingest.decoding import Unreadable
from datagen.ingest.pdf_lines import Line, read_lines
from datagen.text import CJK

LIST_ITEM = re.compile(r"^\s*(?:\d{1,2}[.)、．](?!\d)|[-•·●○▪*]|[（(]\d{1,2}[)）]|步骤\s*\d+|问[：:]|答[：:]|[QA][:：.])\s*")
NUMBERED_HEADING = re.compile(
    r"^(?:第[一二三四五六七八九十百\d]+[章节条](?!规定)|[一二三四五六七八九十]+、|\d{1,2}(?:\.\d{1,2})+\s)[^。.；;，,]{0,40}$"
)
SENTENCE_END = re.compile(r"[。！？.!?；;：:…”）)]\s*$")
PAGE_NUMBER = re.compile(r"\s*(?:-\s*)?(?:第\s*)?\d{1,4}(?:\s*页)?(?:\s*/\s*\d+)?(?:\s*-)?\s*")
LEADERS = re.compile(r"(?:\s?[.．·…]){4,}\s*")
LIST_LINE = re.compile(r"(?:\d{1,3}\.|-)\s+\S")
BULLET = re.compile(r"^[•●▪◦○·–]\s*")
IDEOGRAPH = re.compile(f"[{CJK}]")
WIDE_PUNCTUATION = re.compile(r"[\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65“”‘’…]")
SPACED = re.compile(rf"[{CJK}] [A-Za-z0-9]|[A-Za-z0-9] [{CJK}]")
UNSPACED = re.compile(rf"[{CJK}][A-Za-z0-9]|[A-Za-z0-9][{CJK}]")
LARGER = 1.05
MAX_HEADING = 80
SAME_COLUMN_PT = 6.0


def pdf_to_markdown(data: bytes) -> str:
    """Return the text of a PDF as Markdown, pages in order. Deterministic; nothing outside the file is opened.

    Raises:
        Unreadable: ``encrypted``, ``no_text_layer`` (a scan), or ``broken``.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        encrypted = "password" in str(error).lower()
        raise Unreadable("encrypted" if encrypted else "broken", "needs a password" if encrypted else str(error)) from error
    try:
        pages = [read_lines(document[number]) for number in range(len(document))]
    except pypdfium2.PdfiumError as error:
        raise Unreadable("broken", str(error)) from error
    finally:
        document.close()
    if not any(pages):
        raise Unreadable("no_text_layer", f"{len(pages)} pages of images; run text recognition (OCR) first")
    return _blocks(_without_running_heads(pages))


def _without_running_heads(pages: Sequence[Sequence[Line]]) -> list[Line]:
    """Drop page numbers, and first and last lines that stand on more than half of at least three pages."""
    edges = Counter(shape for page in pages for shape in {_shape(line) for line in (*page[:2], *page[-2:])})
    repeated = {shape for shape, n in edges.items() if len(pages) >= 3 and n > len(pages) / 2}
    kept: list[Line] = []
    for page in pages:
        for position, line in enumerate(page):
            edge = position < 2 or position >= len(page) - 2
            if not (edge and (_shape(line) in repeated or PAGE_NUMBER.fullmatch(line.text))):
                kept.append(line)
    return kept


def _shape(line: Line) -> str:
    return re.sub(r"\d+", "0", line.text)


def _blocks(lines: Sequence[Line]) -> str:
    """Join hard-wrapped lines to paragraphs.

    A paragraph ends at a heading, a table, a list mark, a gap wider than the usual line pitch, a finished line followed by one
    further left, and after a line shorter than two thirds of the longest that ends a sentence.
    """
    body = _body_size(lines)
    sizes = sorted({line.size for line in lines if _is_title(line, body)}, reverse=True)
    longest = max((len(line.text) for line in lines), default=0)
    pitch = _line_pitch(lines, body)
    spaced = _mixed_text_is_spaced(lines)
    blocks: list[str] = []
    current = ""
    at = 0
    while at < len(lines):
        line = lines[at]
        if rows := _table_rows(lines, at):
            blocks += [current, _table(lines[at : at + rows], spaced=spaced)]
            current = ""
            at += rows
            continue
        level = _heading_level(line, sizes, body, open_sentence=bool(current) and not SENTENCE_END.search(current))
        text = LEADERS.sub(" … ", line.text)
        led = text != line.text
        if level:
            blocks += [current, f"{'#' * level} {text}"]
            current = ""
        else:
            if current and (LIST_ITEM.match(text) or led or _stands_apart(lines[at - 1], line, pitch)):
                blocks.append(current)
                current = ""
            # A shell comment at a line's start is no heading.
            current = _join(current, text, spaced=spaced) if current else re.sub(r"^(?=#{1,6}\s)", r"\\", text)
            if led or (SENTENCE_END.search(text) and len(text) < 0.67 * longest):
                blocks.append(current)
                current = ""
        at += 1
    blocks.append(current)
    return _put_together(blocks)


def _put_together(blocks: Sequence[str]) -> str:
    """Blank lines between blocks, none between the items of a list."""
    text = ""
    last = ""
    for block in (BULLET.sub("- ", block) for block in blocks if block.strip()):
        tight = LIST_LINE.match(last) and LIST_LINE.match(block)
        text += ("\n" if tight else "\n\n" if text else "") + block
        last = block
    return text + "\n"


def _line_pitch(lines: Sequence[Line], body: float) -> float:
    """Return the distance of baselines inside paragraphs, in points: the smallest that is common between lines of body size."""
    gaps = Counter(
        round(gap) for a, b in pairwise(lines) if a.size == b.size == body and 0.8 * body < (gap := a.baseline - b.baseline) < 3 * body
    )
    return float(min((gap for gap, n in gaps.items() if n >= 0.3 * max(gaps.values())), default=1.5 * body))


def _stands_apart(previous: Line, line: Line, pitch: float) -> bool:
    gap = previous.baseline - line.baseline
    return gap > 1.25 * pitch + 1 or _steps_out(previous, line)


def _mixed_text_is_spaced(lines: Sequence[Line]) -> bool:
    """Tell whether the author puts a space between Chinese and digits or Latin letters; a line's end does not show it."""
    text = "\n".join(line.text for line in lines)
    return len(SPACED.findall(text)) >= len(UNSPACED.findall(text))


def _steps_out(previous: Line, line: Line) -> bool:
    """A line that starts further left than a finished one before it, such as the text after a list, is a new paragraph."""
    return bool(SENTENCE_END.search(previous.text)) and previous.cells[0].left - line.cells[0].left > 0.8 * line.size


def _body_size(lines: Sequence[Line]) -> float:
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _is_title(line: Line, body: float) -> bool:
    return line.size > LARGER * body and len(line.text) <= MAX_HEADING and len(line.cells) == 1


def _heading_level(line: Line, sizes: Sequence[float], body: float, *, open_sentence: bool) -> int:
    """Return the level 1-6 of a heading line, 0 for text."""
    if _is_title(line, body):
        return min(sizes.index(line.size) + 1, 6)
    return 2 if not sizes and not open_sentence and len(line.cells) == 1 and NUMBERED_HEADING.match(line.text) else 0


def _table_rows(lines: Sequence[Line], at: int) -> int:
    """Count the lines from ``at`` on that stand in the same columns, wrapped cells included; 0 if they are no table."""
    columns = [cell.left for cell in lines[at].cells]
    end, full = at, 0
    while end < len(lines) and abs(lines[end].size - lines[at].size) <= 0.5 and not LEADERS.search(lines[end].text):
        line = lines[end]
        several = len(line.cells) > 1
        if not several and not (full and _continues_row(lines[end - 1], line, columns)):
            break
        full += several
        end += 1
    return end - at if full > 1 else 0


def _continues_row(previous: Line, line: Line, columns: Sequence[float]) -> bool:
    """A single cell close below a row, under a column other than the first, is the rest of that column's cell."""
    close = 0 < previous.baseline - line.baseline <= 1.4 * line.size
    return close and any(abs(line.cells[0].left - left) <= SAME_COLUMN_PT for left in columns[1:])


def _table(lines: Sequence[Line], *, spaced: bool) -> str:
    """Render lines as a pipe table; a cell belongs to the column of the widest line whose left edge is nearest."""
    columns = [cell.left for cell in max(lines, key=lambda line: len(line.cells)).cells]
    rows: list[list[str]] = []
    for number, line in enumerate(lines):
        if not (number and _continues_row(lines[number - 1], line, columns)):
            rows.append([""] * len(columns))
        for cell in line.cells:
            nearest = min(range(len(columns)), key=lambda c: abs(columns[c] - cell.left))
            rows[-1][nearest] = _join(rows[-1][nearest], cell.text.replace("|", "\\|"), spaced=spaced)
    rendered = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([rendered[0], "|" + " --- |" * len(columns), *rendered[1:]])


def _join(left: str, right: str, *, spaced: bool) -> str:
    """Join two lines: no space inside Chinese, between Chinese and Latin as the document does; a hyphen in a word is closed."""
    if not left:
        return right
    if re.search(r"[a-z]-$", left) and right[:1].islower():
        return left[:-1] + right
    if WIDE_PUNCTUATION.match(left[-1]) or WIDE_PUNCTUATION.match(right):
        return left + right
    wide = IDEOGRAPH.match(left[-1]) is not None, IDEOGRAPH.match(right) is not None
    return left + ("" if all(wide) or (any(wide) and not spaced) else " ") + right
