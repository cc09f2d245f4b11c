"""From positioned lines to Markdown: running heads out, headings by size, tables by columns, paragraphs joined.

Pure and deterministic; what is guessed, and from what:

- body size: the font size most characters have. A line 7 % larger, or a short line with bold letters, is a heading; levels are sizes in order.
- running heads and feet: lines at a page's edge that recur, digits aside, on two fifths of at least three pages; bare page numbers.
- tables: neighbouring lines with two or more cells that begin at common positions; a line that fills only some columns goes on the row.
- paragraphs: a wider gap, a list mark, an indent, or a short line that ends a sentence starts a new one.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from datagen.text import CJK


class Cell(NamedTuple):
    """A run of text without a wide gap; edges in points from the left of the page."""

    text: str
    left: float
    right: float


class Line(NamedTuple):
    """One line of a page; ``baseline`` in points from the bottom of the page, ``size`` in points."""

    cells: tuple[Cell, ...]
    baseline: float
    size: float
    bold: bool

    @property
    def text(self) -> str:
        return " ".join(cell.text for cell in self.cells)


LIST_ITEM = re.compile(r"(?:\d{1,3}[.)、．]\s*(?!\d)|[-•·●○▪◦*–]\s+|[•●▪◦]|[（(]\d{1,2}[)）]|[a-z][.)]\s|步骤\s*\d+|(?:问|答)[：:]|[QA][:：.]\s*)")
NUMBERED = re.compile(r"(?:第[〇零一二三四五六七八九十百\d]{1,5}[部编篇章节]|[一二三四五六七八九十]{1,3}、|\d{1,2}(?:\.\d{1,2}){1,3}\s)")
SENTENCE_END = re.compile(r"[。！？!?…”）)；;：:]$|\.$")
PAGE_NUMBER = re.compile(r"(?:[-–—]\s*)?(?:(?:第|page)\s*)?(?:\d{1,4}|[ivxlc]{1,6})(?:\s*页)?(?:\s*(?:/|of|共)\s*\d{1,4}(?:\s*页)?)?(?:\s*[-–—])?", re.IGNORECASE)
LEADERS = re.compile(r"(?:\s?[.．·…]){4,}\s*")
IDEOGRAPH = re.compile(f"[{CJK}]")
WIDE_PUNCTUATION = re.compile(r"[\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]")
SPACED = re.compile(rf"[{CJK}] [A-Za-z0-9]|[A-Za-z0-9] [{CJK}]")
UNSPACED = re.compile(rf"[{CJK}][A-Za-z0-9]|[A-Za-z0-9][{CJK}]")
MAX_HEADING = 80
SAME_COLUMN_PT = 6.0


def lay_out(pages: Sequence[Sequence[Line]]) -> str:
    """Return the Markdown of a document's pages."""
    kept = _without_running_heads(pages)
    lines = [line for page in kept for line in page]
    if not lines:
        lines = [line for page in pages for line in page]
    body = _body_size(lines)
    sizes = sorted({line.size for line in lines if _larger(line, body)}, reverse=True)
    levels = {size: min(rank, 5) for rank, size in enumerate(sizes, 1)}
    blocks = _Blocks(lines, body, levels)
    index = 0
    while index < len(lines):
        if rows := _table_at(lines, index, blocks.pitch):
            index += blocks.add_table(lines[index : index + rows])
        else:
            blocks.add_line(index)
            index += 1
    return blocks.text()


def _body_size(lines: Sequence[Line]) -> float:
    weights: Counter[float] = Counter()
    for line in lines:
        weights[line.size] += len(line.text)
    return max(weights.items(), key=lambda item: (item[1], -item[0]))[0]


def _larger(line: Line, body: float) -> bool:
    return line.size >= body * 1.07 and len(line.cells) <= 2 and len(line.text) <= MAX_HEADING


def _without_running_heads(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    edges = Counter(shape for page in pages for shape in {_shape(line) for line in [*page[:2], *page[-2:]]})
    repeated = {shape for shape, n in edges.items() if len(pages) >= 3 and n >= max(3, 0.4 * len(pages))}
    kept: list[list[Line]] = []
    for page in pages:
        edge = {*range(min(2, len(page))), *range(max(0, len(page) - 2), len(page))}
        kept.append([line for i, line in enumerate(page) if not (i in edge and (_shape(line) in repeated or PAGE_NUMBER.fullmatch(line.text)))])
    return kept


def _shape(line: Line) -> str:
    """What recurs on every page: the words at a height. Body text that happens to recur stands elsewhere."""
    words = re.sub(r"[0-9]+|\b[ivxlc]+\b", "0", line.text)
    return f"{round(line.baseline / 6)}:{words}"


def _table_at(lines: Sequence[Line], start: int, pitch: float) -> int:
    """Return how many lines from ``start`` form a table: at least two rows of cells under common left edges; 0 if none does."""
    columns = [cell.left for cell in lines[start].cells]
    if len(columns) < 2:
        return 0
    rows, full = 1, 1
    for previous, line in zip(lines[start:], lines[start + 1 :], strict=False):
        fits = [_column(cell.left, columns) for cell in line.cells]
        gap = previous.baseline - line.baseline
        if None in fits or len(set(fits)) != len(fits) or abs(line.size - lines[start].size) > 1:
            break
        if len(fits) < 2 and (not 0 < gap <= 1.3 * line.size + 2 or (fits[0] == 0 and gap > pitch * 1.05)):
            break
        if 0 < gap and gap > 5 * line.size:
            break
        rows += 1
        full += len(fits) >= 2
    while rows and len(lines[start + rows - 1].cells) < 2 and _column(lines[start + rows - 1].cells[0].left, columns) == 0:
        rows -= 1
    return rows if full >= 2 else 0


def _column(left: float, columns: Sequence[float]) -> int | None:
    near = min(range(len(columns)), key=lambda i: abs(columns[i] - left))
    return near if abs(columns[near] - left) <= SAME_COLUMN_PT else None


class _Blocks:
    """Collects Markdown blocks; remembers the paragraph that is still open."""

    def __init__(self, lines: Sequence[Line], body: float, levels: dict[float, int]) -> None:
        self._lines = lines
        self._body = body
        self._levels = levels
        self._blocks: list[str] = []
        self._open = ""
        self._last: Line | None = None
        self._heading: Line | None = None
        self._spaced = _mixed_text_is_spaced(lines)
        self._right = max((line.cells[-1].right for line in lines), default=0.0)
        gaps = Counter(round(a.baseline - b.baseline) for a, b in zip(lines, lines[1:], strict=False) if a.size == b.size == body and 0 < a.baseline - b.baseline < 3 * body)
        self.pitch = float(min((gap for gap, n in gaps.items() if n >= 0.3 * max(gaps.values())), default=1.4 * body))

    def add_line(self, index: int) -> None:
        line = self._lines[index]
        level = self._level(line, index)
        text = LEADERS.sub(" … ", line.text).strip()
        if level:
            self._close()
            below = self._heading
            if below is not None and below.size == line.size and 0 < below.baseline - line.baseline < 1.7 * line.size and self._blocks[-1].startswith("#" * level + " "):
                self._blocks[-1] = self._join(self._blocks[-1], text)
            else:
                self._blocks.append("#" * level + " " + text)
            self._heading, self._last = line, None
            return
        if self._starts_paragraph(line, text):
            self._close()
        self._open = self._join(self._open, text)
        self._last, self._heading = line, None

    def add_table(self, lines: Sequence[Line]) -> int:
        self._close()
        columns = [cell.left for cell in lines[0].cells]
        rows: list[list[str]] = []
        for line in lines:
            places = [(_column(cell.left, columns) or 0, cell.text) for cell in line.cells]
            if not rows or len(places) >= 2 and places[0][0] == 0:
                rows.append([""] * len(columns))
            for place, text in places:
                rows[-1][place] = self._join(rows[-1][place], text.replace("|", "\\|"))
        rendered = ["| " + " | ".join(row) + " |" for row in rows]
        self._blocks.append("\n".join([rendered[0], "|" + " --- |" * len(columns), *rendered[1:]]))
        self._last = self._heading = None
        return len(lines)

    def text(self) -> str:
        self._close()
        return "\n\n".join(self._blocks).replace("\xad", "") + "\n"

    def _join(self, left: str, right: str) -> str:
        return _join(left, right, spaced=self._spaced)

    def _close(self) -> None:
        if self._open:
            # Text that merely begins like a heading mark must not become one.
            self._blocks.append(re.sub(r"^(#+ )", r"\\\1", re.sub(r"^[•●▪◦○]\s*", "- ", self._open)))
        self._open, self._last = "", None

    def _level(self, line: Line, index: int) -> int:
        """Return the heading level of a line, 0 for text."""
        text = line.text
        if len(text) > MAX_HEADING or len(line.cells) > 2 or re.search(r"[。；;，,]$", text) or not re.search(r"\w", text):
            return 0
        if _larger(line, self._body):
            return self._levels[line.size]
        if line.size < self._body or len(line.cells) > 1 or LIST_ITEM.match(text) and not NUMBERED.match(text):
            return 0
        lowest = min(max(self._levels.values(), default=1) + 1, 6)
        apart = self._last is None or self._last.baseline - line.baseline > 1.2 * self.pitch or self._last.baseline < line.baseline
        follows = self._lines[index + 1] if index + 1 < len(self._lines) else None
        if line.bold and apart and (follows is None or not follows.bold) and not SENTENCE_END.search(text.rstrip("?？")):
            return lowest
        short = line.cells[-1].right < 0.75 * self._right
        return lowest if not self._levels and NUMBERED.match(text) and short and apart and not SENTENCE_END.search(text) else 0

    def _starts_paragraph(self, line: Line, text: str) -> bool:
        last = self._last
        if last is None or not self._open:
            return True
        if LIST_ITEM.match(text) or line.bold != last.bold and last.bold and SENTENCE_END.search(last.text):
            return True
        ended = bool(SENTENCE_END.search(last.text))
        gap = last.baseline - line.baseline
        short = last.cells[-1].right < self._right - 3 * self._body
        if gap <= 0:
            return ended and short
        if gap > 1.3 * self.pitch + 1:
            return True
        indented = line.cells[0].left - last.cells[0].left > 1.2 * self._body and not LIST_ITEM.match(self._open)
        return ended and (short or indented)


def _mixed_text_is_spaced(lines: Sequence[Line]) -> bool:
    """Tell whether the author puts a space between Chinese and digits or Latin letters; a line's end does not show it."""
    text = "\n".join(line.text for line in lines)
    return len(SPACED.findall(text)) >= len(UNSPACED.findall(text))


def _join(left: str, right: str, *, spaced: bool) -> str:
    """Join two lines: no space inside Chinese, between Chinese and Latin as the document does; hyphens at a line's end are closed."""
    if not left or not right:
        return left or right
    if left.endswith("\xad") or re.search(r"[a-z]-$", left) and right[:1].islower():
        return left[:-1] + right
    if WIDE_PUNCTUATION.match(left[-1]) or WIDE_PUNCTUATION.match(right):
        return left + right
    wide = IDEOGRAPH.match(left[-1]) is not None, IDEOGRAPH.match(right) is not None
    return left + ("" if all(wide) or (any(wide) and not spaced) else " ") + right
