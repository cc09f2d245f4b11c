"""HTML tables as rows of cells: spans filled in, nested tables told apart from their parents, layout tables recognised."""

import re

from selectolax.lexbor import LexborNode

from datagen.text import CJK

MAX_SPAN = 100
MAX_COLUMNS = 500
BREAK_IN_CHINESE = re.compile(rf"(?<=[{CJK}，。；：、])\s*\n\s*(?=[{CJK}])")


def is_layout(table: LexborNode) -> bool:
    """True for a table that arranges a page: it holds other tables, headings or code."""
    return table.css_first("table table, td h1, td h2, td h3, td h4, td pre") is not None


def table_rows(table: LexborNode) -> list[list[str]]:
    """Return the rows of a table, all equally wide, without blank ones; a cell that spans rows or columns is repeated in each."""
    rows: list[list[str]] = []
    # Column -> (rows still to fill, text).
    hanging: dict[int, tuple[int, str]] = {}
    for row in table.css("tr"):
        cells: list[str] = []
        for cell in row.iter():
            if cell.tag not in ("td", "th") or "hidden" in cell.attributes:
                continue
            _fill(cells, hanging)
            text = _cell_text(cell)
            height, width = _span(cell, "rowspan"), _span(cell, "colspan")
            for _ in range(min(width, MAX_COLUMNS - len(cells))):
                if height > 1:
                    hanging[len(cells)] = (height - 1, text)
                cells.append(text)
        _fill(cells, hanging)
        if any(cells):
            rows.append(cells)
    width = max((len(row) for row in rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows]


def _fill(cells: list[str], hanging: dict[int, tuple[int, str]]) -> None:
    while len(cells) in hanging and len(cells) < MAX_COLUMNS:
        left, text = hanging.pop(len(cells))
        if left > 1:
            hanging[len(cells)] = (left - 1, text)
        cells.append(text)


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or ""
    return max(1, min(int(value), MAX_SPAN)) if re.fullmatch(r"\d{1,6}", value) else 1


def _cell_text(cell: LexborNode) -> str:
    separator = " " if cell.css_first("p, div, br, li") is not None else ""
    text = BREAK_IN_CHINESE.sub("", cell.text(separator=separator))
    return " ".join(text.split()).replace("|", "\\|")
