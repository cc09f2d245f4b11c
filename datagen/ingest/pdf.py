"""PDF text layers to Markdown: lines joined to paragraphs, tables by column gaps, headings by type size, running heads removed.

Where all text has one size, headings are found by their numbering alone: a short line that merely stands alone is not one.
"""

import re
from collections import Counter
from collections.abc import Sequence

from datagen.ingest.pdf_lines import Line, read_lines
from datagen.ingest.reading import Unreadable
from datagen.text import CJK

LIST_ITEM = re.compile(r"^\s*(?:\d{1,2}[.)、．](?!\d)|[-•·●○▪*]|[（(]\d{1,2}[)）]|步骤\s*\d+|问[：:]|答[：:]|[QA][:：.])\s*")
NUMBERED_HEADING = re.compile(
    r"^(?:第[一二三四五六七八九十百\d]+[章节条](?!规定)|[一二三四五六七八九十]+、|\d{1,2}(?:\.\d{1,2})+\s)[^。.；;，,]{0,40}$"
)
SENTENCE_END = re.compile(r"[。！？.!?；;：:…”）)]\s*$")
PAGE_NUMBER = re.compile(r"\s*(?:-\s*)?(?:第\s*)?\d{1,4}(?:\s*页)?(?:\s*/\s*\d+)?(?:\s*-)?\s*")
LARGER = 1.05
MAX_HEADING = 80


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
    """Join hard-wrapped lines. A line shorter than two thirds of the longest that ends a sentence ends its paragraph."""
    body = _body_size(lines)
    sizes = sorted({line.size for line in lines if _is_title(line, body)}, reverse=True)
    longest = max((len(line.text) for line in lines), default=0)
    blocks: list[str] = []
    current = ""
    at = 0
    while at < len(lines):
        line = lines[at]
        rows = _table_rows(lines, at)
        level = _heading_level(line, sizes, body, open_sentence=bool(current) and not SENTENCE_END.search(current))
        if rows > 1:
            blocks += [current, _table(lines[at : at + rows])]
            current = ""
            at += rows
            continue
        at += 1
        if level:
            blocks += [current, f"{'#' * level} {line.text}"]
            current = ""
        elif LIST_ITEM.match(line.text) or (current and at >= 2 and _steps_out(lines[at - 2], line)):
            blocks.append(current)
            current = line.text
        else:
            current = _join(current, line.text)
            if SENTENCE_END.search(line.text) and len(line.text) < 0.67 * longest:
                blocks.append(current)
                current = ""
    blocks.append(current)
    return "\n\n".join(block for block in blocks if block.strip()) + "\n"


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
    """Count the lines from ``at`` on that stand in the same columns."""
    end = at
    while end < len(lines) and len(lines[end].cells) > 1 and lines[end].size == lines[at].size:
        end += 1
    return end - at


def _table(rows: Sequence[Line]) -> str:
    """Render rows as a pipe table; a cell belongs to the column of the widest row whose left edge is nearest."""
    columns = [cell.left for cell in max(rows, key=lambda row: len(row.cells)).cells]
    lines: list[str] = []
    for row in rows:
        cells = [""] * len(columns)
        for cell in row.cells:
            nearest = min(range(len(columns)), key=lambda c: abs(columns[c] - cell.left))
            cells[nearest] = f"{cells[nearest]} {cell.text}".strip().replace("|", "\\|")
        lines.append("| " + " | ".join(cells) + " |")
    lines.insert(1, "|" + " --- |" * len(columns))
    return "\n".join(lines)


def _join(left: str, right: str) -> str:
    if not left:
        return right
    if left.endswith("-") and right[:1].islower():
        return left[:-1] + right
    glue = "" if re.search(rf"[{CJK}，。；：、！？（）“”]$", left) or re.match(rf"[{CJK}，。；：、！？（）“”]", right) else " "
    return left + glue + right
