"""PDF text layers: lines joined to paragraphs, repeated page headers and page numbers removed, headings by their numbering."""

import re
from collections import Counter

from datagen.ingest.reading import Unreadable
from datagen.text import CJK

LIST_ITEM = re.compile(r"^\s*(?:\d{1,2}[.)、．]|[-•·●○▪*]|[（(]\d{1,2}[)）]|步骤\s*\d+|问[：:]|答[：:]|[QA][:：.])\s*")
NUMBERED_HEADING = re.compile(rf"^(?:第[一二三四五六七八九十\d]+[章节条]|[一二三四五六七八九十]+、|\d+(?:\.\d+)+\s)[^。.；;]{{0,40}}$|^[A-Z{CJK}][^。.!?！？；;：:，,]{{0,30}}$")
SENTENCE_END = re.compile(r"[。！？.!?；;：:…”）)]\s*$")


def pdf_to_markdown(data: bytes) -> str:
    """Return the text of a PDF, pages in order.

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
        pages = [_page_text(document, number) for number in range(len(document))]
    except pypdfium2.PdfiumError as error:
        raise Unreadable("broken", str(error)) from error
    finally:
        document.close()
    if not any(page.strip() for page in pages):
        raise Unreadable("no_text_layer", f"{len(pages)} pages of images; run text recognition (OCR) first")
    return _paragraphs(_without_running_heads([page.split("\n") for page in pages]))


def _page_text(document: object, number: int) -> str:
    page = document[number]  # type: ignore[index]
    text_page = page.get_textpage()
    try:
        # U+FFFE marks a hyphen at a line end.
        return str(text_page.get_text_range()).replace("\r\n", "\n").replace("\r", "\n").replace("\ufffe\n", "").replace("\ufffe", "")
    finally:
        text_page.close()
        page.close()


def _without_running_heads(pages: list[list[str]]) -> list[str]:
    """Drop page numbers, and first and last lines that stand on more than half of at least three pages."""
    edges = Counter(_shape(line) for page in pages for line in {*page[:2], *page[-2:]} if line.strip())
    repeated = {shape for shape, n in edges.items() if len(pages) >= 3 and n > len(pages) / 2}
    kept: list[str] = []
    for page in pages:
        for position, line in enumerate(page):
            edge = position < 2 or position >= len(page) - 2
            if edge and (_shape(line) in repeated or re.fullmatch(r"\s*(?:-\s*)?(?:第\s*)?\d{1,4}(?:\s*页)?(?:\s*/\s*\d+)?(?:\s*-)?\s*", line)):
                continue
            kept.append(line.rstrip())
    return kept


def _shape(line: str) -> str:
    return re.sub(r"\d+", "0", line.strip())


def _paragraphs(lines: list[str]) -> str:
    """Join hard-wrapped lines. A line shorter than two thirds of the longest that ends a sentence ends its paragraph."""
    longest = max((len(line) for line in lines), default=0)
    blocks: list[str] = []
    current = ""
    for raw in lines:
        line = raw.strip()
        heading = bool(NUMBERED_HEADING.match(line)) and len(line) < 0.6 * longest and not (current and not SENTENCE_END.search(current))
        if not line or LIST_ITEM.match(line) or heading:
            blocks.append(current)
            current = line
            if heading and line:
                blocks.append(f"## {line}" if any(blocks) else f"# {line}")
                current = ""
            continue
        current = _join(current, line)
        if SENTENCE_END.search(line) and len(line) < 0.67 * longest:
            blocks.append(current)
            current = ""
    blocks.append(current)
    return "\n\n".join(block for block in blocks if block.strip()) + "\n"


def _join(left: str, right: str) -> str:
    if not left:
        return right
    if left.endswith("-") and right[:1].islower():
        return left[:-1] + right
    glue = "" if re.search(rf"[{CJK}，。；：、！？（）“”]$", left) or re.match(rf"[{CJK}，。；：、！？（）“”]", right) else " "
    return left + glue + right
