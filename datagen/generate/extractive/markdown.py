"""The blocks of a Markdown passage with exact offsets: headings, paragraphs, lists and pipe tables.

Fenced code, HTML comments, rules and images are skipped. All spans are offsets into the text that was given, and
``start`` shifts them, so that blocks of a chunk carry offsets in its document.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from datagen.text import CJK, Span

_HEADING = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_ITEM = re.compile(r"^(\s*)(?:([-*+•·])|(\d{1,2})[.)、）](?!\d)|[(（](\d{1,2})[)）]|([①②③④⑤⑥⑦⑧⑨⑩]))\s*(?=\S)")
_RULE = re.compile(r"^\s*(?:[-*_]\s*){3,}$")
_DELIMITER = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")
_FENCE = re.compile(r"^\s*(?:```|~~~)")


class Line(NamedTuple):
    """One line without its line break."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading line; ``span`` covers its text without the marks."""

    span: Span
    level: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Consecutive plain lines."""

    span: Span


@dataclass(frozen=True, slots=True)
class ListBlock:
    """A list; ``items`` cover the text of the items of its outermost level without their markers."""

    span: Span
    ordered: bool
    items: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A pipe table: header cells, and for each row its span and its cells."""

    span: Span
    header: tuple[Span, ...]
    rows: tuple[tuple[Span, tuple[Span, ...]], ...]


Block = Heading | Paragraph | ListBlock | Table


def parse_blocks(text: str, start: int = 0) -> list[Block]:
    """Split a passage into blocks in text order; ``start`` is added to every offset."""
    lines = _lines(text, start)
    blocks: list[Block] = []
    i = 0
    while i < len(lines):
        line = lines[i]
        if _FENCE.match(line.text):
            i = next((j for j in range(i + 1, len(lines)) if _FENCE.match(lines[j].text)), len(lines)) + 1
        elif not line.text.strip() or _RULE.match(line.text) or line.text.lstrip().startswith(("<!--", "![")):
            i += 1
        elif heading := _HEADING.match(line.text):
            blocks.append(Heading(Span(line.start + heading.start(2), line.start + heading.end(2)), len(heading.group(1))))
            i += 1
        elif "|" in line.text and i + 1 < len(lines) and "-" in lines[i + 1].text and _DELIMITER.match(lines[i + 1].text):
            stop = _run_end(lines, i + 2, lambda t: "|" in t)
            blocks.append(_table(lines[i:stop]))
            i = stop
        elif line.text.lstrip().startswith("|"):
            i += 1  # a row cut off from its header says nothing
        elif _ITEM.match(line.text):
            stop = _run_end(lines, i + 1, lambda t: bool(_ITEM.match(t)) or t.startswith((" ", "\t")))
            blocks.append(_list(lines[i:stop]))
            i = stop
        else:
            stop = _run_end(lines, i + 1, _is_plain)
            blocks.append(Paragraph(Span(line.start, lines[stop - 1].end)))
            i = stop
    return blocks


def plain(text: str) -> str:
    """Return text as a reader sees it: emphasis, code, link and quote marks removed, white space joined.

    Line breaks vanish between CJK characters and become a space elsewhere.
    """
    out = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    out = re.sub(r"\[([^\]]+)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)", r"\1", out)
    out = re.sub(r"<br\s*/?>", " ", out)
    out = re.sub(r"</?[A-Za-z][^<>]*>", "", out)
    out = re.sub(r"(?m)^\s*>\s?", "", out)
    out = re.sub(r"(\*{1,3}|~~)(?=\S)(.+?)(?<=\S)\1", r"\2", out)
    out = re.sub(r"(?<!\w)(_{1,2})(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2", out)
    out = out.replace("**", "").replace("`", "")
    out = re.sub(r"\\([\\`*_{}\[\]()#+.!|>~-])", r"\1", out)
    out = re.sub(rf"(?<=[{CJK}，。；：、！？（）《》“”])\s*\n\s*(?=[{CJK}，。；：、！？（）《》“”])", "", out)
    return re.sub(r"\s+", " ", out).strip()


def plain_lines(text: str) -> str:
    """Like ``plain``, but lines stay lines: for lists and steps used as an answer."""
    lines = (re.sub(r"^\s*[*+•·]\s+", "- ", line) for line in text.splitlines())
    return "\n".join(shown for line in lines if (shown := plain(line)))


def _lines(text: str, start: int) -> list[Line]:
    lines: list[Line] = []
    at = start
    for raw in text.split("\n"):
        lines.append(Line(at, at + len(raw.rstrip("\r")), raw.rstrip("\r")))
        at += len(raw) + 1
    return lines


def _is_plain(text: str) -> bool:
    return not (_HEADING.match(text) or _ITEM.match(text) or _FENCE.match(text) or _RULE.match(text) or text.lstrip().startswith("|"))


def _run_end(lines: list[Line], i: int, belongs: Callable[[str], bool]) -> int:
    while i < len(lines) and lines[i].text.strip() and belongs(lines[i].text):
        i += 1
    return i


def _list(lines: list[Line]) -> ListBlock:
    first = _ITEM.match(lines[0].text)
    assert first
    indent = len(first.group(1))
    items: list[Span] = []
    for line in lines:
        marker = _ITEM.match(line.text)
        if marker and len(marker.group(1)) <= indent + 1:
            items.append(Span(line.start + marker.end(), line.end))
        else:
            items[-1] = Span(items[-1].start, line.end)
    return ListBlock(Span(lines[0].start, lines[-1].end), not first.group(2), tuple(items))


def _table(lines: list[Line]) -> Table:
    rows = tuple((Span(line.start, line.end), _cells(line)) for line in lines[2:])
    return Table(Span(lines[0].start, lines[-1].end), _cells(lines[0]), rows)


def _cells(line: Line) -> tuple[Span, ...]:
    text = line.text
    left = len(text) - len(text.lstrip())
    left += text[left : left + 1] == "|"
    right = len(text.rstrip())
    right -= right > left and text[right - 1] == "|"
    cells: list[Span] = []
    at = left
    for piece in re.split(r"(?<!\\)\|", text[left:right]):
        stripped = piece.strip()
        begin = at + (piece.index(stripped) if stripped else 0)
        cells.append(Span(line.start + begin, line.start + begin + len(stripped)))
        at += len(piece) + 1
    return tuple(cells)
