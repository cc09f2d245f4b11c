"""PDF text layers to lines with position and size; :mod:`datagen.ingest.pdf_layout` turns the lines into Markdown.

Lines come in the order the file draws them, which word processors and TeX make the reading order. Scans have no text layer and are
refused. Pictures, annotations and form values are left out.
"""

import ctypes
import math

from datagen.ingest.pdf_layout import Cell, Line, lay_out
from datagen.ingest.reading import Unreadable

# A gap this wide, in font sizes, separates table cells: inter-word spaces are 0.2 to 0.5, justified ones under 1.
CELL_GAP = 1.2
BOLD = 600


def pdf_to_markdown(data: bytes) -> str:
    """Return the text of a PDF as Markdown, pages in order. Cost: about a second for 100 pages.

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
        pages = [_read_page(document, number) for number in range(len(document))]
    except pypdfium2.PdfiumError as error:
        raise Unreadable("broken", str(error)) from error
    finally:
        document.close()
    if not any(pages):
        raise Unreadable("no_text_layer", f"{len(pages)} pages without text; if it is a scan, run text recognition (OCR) on it first")
    return lay_out(pages)


def _read_page(document: object, number: int) -> list[Line]:
    page = document[number]  # type: ignore[index]
    text_page = page.get_textpage()
    try:
        return _PageReader(text_page.raw, int(text_page.count_chars())).lines()
    finally:
        text_page.close()
        page.close()


class _PageReader:
    """Reads one page through PDFium's character interface (``fpdf_text.h``)."""

    def __init__(self, text_page: object, n_chars: int) -> None:
        import pypdfium2.raw as raw

        self._raw = raw
        self._page = text_page
        self._n = n_chars

    def lines(self) -> list[Line]:
        found: list[Line] = []
        start = 0
        codes = [int(self._raw.FPDFText_GetUnicode(self._page, i)) for i in range(self._n)]
        for i in range(self._n + 1):
            if i == self._n or codes[i] in (10, 13):
                if line := self._line(codes, start, i):
                    found.append(line)
                start = i + 1
        return found

    def _line(self, codes: list[int], start: int, end: int) -> Line | None:
        inked = [i for i in range(start, end) if codes[i] > 32 and not chr(codes[i]).isspace()]
        if not inked:
            return None
        size = self._size(inked[len(inked) // 2])
        cells: list[Cell] = []
        first = previous = inked[0]
        for i in [*inked[1:], -1]:
            # Only a space can be a gap between cells; measuring every character would be slow.
            if i == -1 or (i > previous + 1 and self._box(i)[0] - self._box(previous)[1] > CELL_GAP * size):
                cells.append(Cell(_to_text(codes[first : previous + 1]), self._box(first)[0], self._box(previous)[1]))
                first = i
            previous = i
        bold = all(self._raw.FPDFText_GetFontWeight(self._page, i) >= BOLD for i in (inked[0], inked[-1]))
        return Line(tuple(cells), self._baseline(inked[0]), size, bold)

    def _size(self, index: int) -> float:
        """Font size in points on the page: some files set size 1 and scale by matrix."""
        matrix = self._raw.FS_MATRIX()
        size = float(self._raw.FPDFText_GetFontSize(self._page, index))
        if self._raw.FPDFText_GetMatrix(self._page, index, matrix):
            size *= math.hypot(matrix.c, matrix.d) or 1.0
        return round(size * 2) / 2 or 1.0

    def _box(self, index: int) -> tuple[float, float]:
        """Left and right edge, in points."""
        left, right, bottom, top = ctypes.c_double(), ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
        self._raw.FPDFText_GetCharBox(self._page, index, left, right, bottom, top)
        return left.value, right.value

    def _baseline(self, index: int) -> float:
        x, y = ctypes.c_double(), ctypes.c_double()
        self._raw.FPDFText_GetCharOrigin(self._page, index, x, y)
        return y.value


def _to_text(codes: list[int]) -> str:
    """PDFium gives UTF-16 units; U+FFFE and U+0002 mark a hyphen at a line's end."""
    text = "".join("\xad" if code in (0xFFFE, 2) else chr(code) for code in codes if code)
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return " ".join("".join(c for c in text if c >= " " or c == "\t").split())
