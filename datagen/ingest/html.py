"""HTML to Markdown: headings, paragraphs, lists with their numbers, tables, definitions; scripts, navigation and hidden parts left out."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from datagen.ingest.decoding import Unreadable, decode
from datagen.ingest.html_table import is_layout, table_rows
from datagen.ingest.html_text import BLOCKS, LINE_BREAK, MAX_DEPTH, inline_text, is_dropped, is_hidden, tidy

CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([A-Za-z0-9_-]+)""")


def html_to_markdown(data: bytes) -> str:
    """Render HTML bytes as Markdown text; entities are decoded, nothing is fetched. A page without headings gets its ``<title>``.

    Raises:
        Unreadable: ``binary`` or ``wrong_encoding``; ``broken`` if the markup is beyond repair.
    """
    declared = CHARSET.search(data[:4096])
    source = decode(data, declared.group(1).decode("ascii") if declared else None)
    try:
        tree = LexborHTMLParser(source)
    except (SelectolaxError, ValueError, MemoryError) as error:
        raise Unreadable("broken", f"the HTML parser gave up: {error}") from error
    if tree.body is None:
        return ""
    out = _Blocks()
    _render(tree.body, out, 0)
    text = out.text()
    title = tree.css_first("title")
    name = " ".join(title.text().split()) if title is not None else ""
    return f"# {name}\n\n{text}" if name and text and not re.search(r"^#", text, re.MULTILINE) else text


class _Blocks:
    """Collects blocks of text, a blank line between them; ``inline`` text gathers until the line ends."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._line: list[str] = []

    def inline(self, text: str) -> None:
        self._line.append(text)

    def end_line(self) -> None:
        text = tidy("".join(self._line))
        self._line.clear()
        if text:
            self.block(text.replace(LINE_BREAK, "\n"))

    def block(self, text: str, *, tight: bool = False) -> None:
        if tight and self._blocks:
            self._blocks[-1] += f"\n{text}"
        else:
            self._blocks.append(text)

    def text(self) -> str:
        self.end_line()
        return "\n\n".join(self._blocks) + "\n" if self._blocks else ""


def _render(node: LexborNode, out: _Blocks, depth: int) -> None:
    if depth > MAX_DEPTH:
        out.inline(node.text(separator=" "))
        return
    for child in node.iter(include_text=True):
        tag = child.tag or ""
        if tag == "-text":
            out.inline(child.text(deep=False).replace(LINE_BREAK, " "))
        elif is_dropped(child):
            continue
        elif re.fullmatch(r"h[1-6]", tag):
            out.end_line()
            if title := inline_text(child).replace("¶", "").strip():
                out.block(f"{'#' * int(tag[1])} {title}")
        elif tag in ("ul", "ol"):
            out.end_line()
            _list(child, out, "", depth + 1, tight=False)
        elif tag == "table":
            out.end_line()
            _table(child, out, depth + 1)
        elif tag == "br":
            out.inline(LINE_BREAK)
        elif tag == "pre":
            out.end_line()
            _code(child, out)
        elif tag == "dt":
            out.end_line()
            _render(child, out, depth + 1)
            out.end_line()
        elif tag == "dd":
            _definition(child, out, depth + 1)
        elif tag in BLOCKS:
            out.end_line()
            _render(child, out, depth + 1)
            out.end_line()
        else:
            _render(child, out, depth + 1)


def _definition(node: LexborNode, out: _Blocks, depth: int) -> None:
    """A definition: its first paragraph under the term behind a colon, the rest as blocks."""
    out.end_line()
    inner = _Blocks()
    _render(node, inner, depth)
    first, _, rest = inner.text().strip().partition("\n\n")
    if first and not re.match(r"[#|`]|[-*] |\d+\. ", first):
        out.block(f": {first}", tight=True)
        first = ""
    for block in filter(None, (first, rest)):
        out.block(block)


def _list(node: LexborNode, out: _Blocks, indent: str, depth: int, *, tight: bool) -> None:
    """Render a list; items follow each other without a blank line, nested lists and further paragraphs are indented below their item."""
    if depth > MAX_DEPTH:
        out.block(tidy(node.text(separator=" ")), tight=tight)
        return
    start = node.attributes.get("start") or ""
    number = int(start) if re.fullmatch(r"\d{1,9}", start) else 1
    for item in node.iter():
        if is_dropped(item):
            continue
        if item.tag in ("ul", "ol"):
            # Formally wrong, yet common: a list directly inside a list.
            _list(item, out, indent + "   ", depth + 1, tight=tight)
            continue
        value = item.attributes.get("value") or ""
        number = int(value) if re.fullmatch(r"\d{1,9}", value) else number
        marker = f"{number}. " if node.tag == "ol" else "- "
        inner = _Blocks()
        _render(item, inner, depth + 1)
        lines = inner.text().strip("\n").replace("\n\n", "\n").split("\n")
        if any(lines):
            rest = [f"{indent}{' ' * len(marker)}{line}" for line in lines[1:]]
            out.block("\n".join([f"{indent}{marker}{lines[0]}", *rest]), tight=tight)
            tight = True
            number += 1


def _code(node: LexborNode, out: _Blocks) -> None:
    text = node.text().strip("\n")
    if text.strip():
        fence = "~~~~" if "```" in text else "```"
        out.block(f"{fence}\n{text}\n{fence}")


def _table(node: LexborNode, out: _Blocks, depth: int) -> None:
    if is_layout(node):
        for cell in node.css("td, th"):
            if table_of(cell) == node.mem_id and not is_hidden(cell):
                out.end_line()
                _render(cell, out, depth)
                out.end_line()
        return
    for caption in node.iter():
        if caption.tag == "caption":
            _render(caption, out, depth)
            out.end_line()
    rows = table_rows(node)
    if rows:
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|" + " --- |" * len(rows[0]))
        out.block("\n".join(lines))


def table_of(cell: LexborNode) -> int | None:
    """Return the identity of the table that a cell or row belongs to."""
    parent = cell.parent
    while parent is not None and parent.tag != "table":
        parent = parent.parent
    return parent.mem_id if parent is not None else None
