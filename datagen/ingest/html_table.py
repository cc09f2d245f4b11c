"""HTML tables as rows of cells: spans filled in, nested tables told apart from their parents, layout tables recognised."""

import re

from selectolax.lexbor import LexborNode

from datagen.ingest.html_text import inline_text, is_hidden

MAX_SPAN = 100
MAX_COLUMNS = 500


def is_layout(table: LexborNode) -> bool:
    """True for a table that arranges a page: it holds other tables, headings or code."""
    return table.css_first("table table, td h1, td h2, td h3, td h4, td pre") is not None


def table_rows(table: LexborNode) -> list[list[str]]:
    """Return the rows of a table, all equally wide, without blank ones; a cell that spans rows or columns is repeated in each."""
    rows: list[list[str]] = []
    # Column -> (rows still to fill, text).
    hanging: dict[int, tuple[int, str]] = {}
    for row in table.css("tr"):
        if is_hidden(row) or (row.parent is not None and is_hidden(row.parent)):
            continue
        cells: list[str] = []
        for cell in row.iter():
            if cell.tag not in ("td", "th") or is_hidden(cell):
                continue
            _fill(cells, hanging)
            text = inline_text(cell).replace("|", "\\|")
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
