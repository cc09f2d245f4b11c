"""A PDF page as lines with a type size, each line cut into cells at wide gaps."""

import ctypes
from collections import Counter
from dataclasses import dataclass
from typing import Any

GAP = 1.6  # ems; between words of justified text gaps stay below one


@dataclass(frozen=True, slots=True)
class Cell:
    """Text between two wide gaps; ``left`` is its left edge in points."""

    left: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a page, never blank.

    ``size`` is the type size in points, rounded to half a point; ``baseline`` is in points from the bottom of the page.
    """

    size: float
    cells: tuple[Cell, ...]
    baseline: float

    @property
    def text(self) -> str:
        return " ".join(cell.text for cell in self.cells)


def read_lines(page: Any) -> list[Line]:
    """Return the lines of a ``pypdfium2.PdfPage``, in the order of its content; closes the page."""
    text_page = page.get_textpage()
    try:
        collector = _Collector()
        for index in range(text_page.count_chars()):
            collector.take(text_page, index)
        collector.end_line()
        return collector.lines
    finally:
        text_page.close()
        page.close()


class _Collector:
    def __init__(self) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium: Any = pdfium
        self._matrix: Any = pdfium.FS_MATRIX()
        self._high = 0
        self.lines: list[Line] = []
        self._cells: list[tuple[float, list[str]]] = []
        self._sizes: Counter[float] = Counter()
        self._right: float | None = None
        self._baseline = 0.0

    def take(self, text_page: Any, index: int) -> None:
        character = self._character(int(self._pdfium.FPDFText_GetUnicode(text_page, index)))
        if character in ("\r", "\n"):
            self.end_line()
            return
        if not character.strip():
            if character and self._cells:
                self._cells[-1][1].append(" ")
            return
        left, _, right, _ = text_page.get_charbox(index)
        size = self._size(text_page, index)
        if not self._cells:
            self._baseline = self._origin(text_page, index)
        if not self._cells or (self._right is not None and left - self._right > GAP * size):
            self._cells.append((left, []))
        self._cells[-1][1].append(character)
        self._right = right
        self._sizes[size] += 1

    def end_line(self) -> None:
        cells = tuple(Cell(left, text) for left, parts in self._cells if (text := " ".join("".join(parts).split())))
        if cells:
            self.lines.append(Line(self._sizes.most_common(1)[0][0], cells, self._baseline))
        self._cells = []
        self._sizes = Counter()
        self._right = None

    def _character(self, code: int) -> str:
        """Turn a UTF-16 unit into text. Control characters and U+FFFE, a hyphen at a line end inside a word, are nothing."""
        high, self._high = self._high, 0
        if 0xD800 <= code < 0xDC00:
            self._high = code
            return ""
        if 0xDC00 <= code < 0xE000:
            return chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00) if high else ""
        return chr(code) if (code >= 32 or code in (9, 10, 13)) and code not in (0xFFFE, 0xFFFF) and code < 0x110000 else ""

    def _origin(self, text_page: Any, index: int) -> float:
        x, y = ctypes.c_double(), ctypes.c_double()
        self._pdfium.FPDFText_GetCharOrigin(text_page, index, ctypes.byref(x), ctypes.byref(y))
        return y.value

    def _size(self, text_page: Any, index: int) -> float:
        """Type size with the text matrix applied: many writers set 1 point and scale."""
        size = float(self._pdfium.FPDFText_GetFontSize(text_page, index))
        if self._pdfium.FPDFText_GetMatrix(text_page, index, ctypes.byref(self._matrix)):
            size *= (self._matrix.b**2 + self._matrix.d**2) ** 0.5 or 1.0
        return max(round(size * 2) / 2, 0.5)
