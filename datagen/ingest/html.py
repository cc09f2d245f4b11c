"""HTML to Markdown: headings, paragraphs, lists with their numbers, tables; scripts, navigation and hidden parts left out."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from datagen.ingest.reading import decode

DROPPED = frozenset({"script", "style", "noscript", "template", "nav", "footer", "aside", "svg", "iframe", "button", "form", "head", "select"})
BLOCKS = frozenset("address article blockquote body dd div dl dt fieldset figcaption figure header hr html main p section summary details".split())
CHARSET = re.compile(rb"""charset\s*=\s*["']?([A-Za-z0-9_-]+)""")


def html_to_markdown(data: bytes) -> str:
    """Render HTML bytes as Markdown text. Never fails on broken markup; entities are decoded, nothing is fetched."""
    declared = CHARSET.search(data[:4096])
    tree = LexborHTMLParser(decode(data, declared.group(1).decode("ascii") if declared else None))
    if tree.body is None:
        return ""
    out = _Blocks()
    _render(tree.body, out, depth=0)
    return out.text()


class _Blocks:
    """Collects blocks of text; a blank line between them."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._line: list[str] = []

    def inline(self, text: str) -> None:
        self._line.append(text)

    def end_line(self, prefix: str = "", *, tight: bool = False) -> None:
        text = " ".join("".join(self._line).split())
        self._line.clear()
        if text:
            self.block(prefix + text, tight=tight)

    def block(self, text: str, *, tight: bool = False) -> None:
        if tight and self._blocks:
            self._blocks[-1] += f"\n{text}"
        else:
            self._blocks.append(text)

    def text(self) -> str:
        self.end_line()
        return "\n\n".join(self._blocks) + "\n" if self._blocks else ""


def _render(node: LexborNode, out: _Blocks, depth: int) -> None:
    for child in node.iter(include_text=True):
        tag = child.tag or ""
        if tag == "-text":
            out.inline(child.text(deep=False))
        elif tag in DROPPED or tag.startswith(("-", "!")) or _hidden(child) or depth > 200:
            continue
        elif re.fullmatch(r"h[1-6]", tag):
            out.end_line()
            out.inline(child.text(separator="").replace("¶", ""))
            out.end_line("#" * int(tag[1]) + " ")
        elif tag in ("ul", "ol"):
            out.end_line()
            _list(child, out, ordered=tag == "ol", indent=0, depth=depth)
        elif tag == "table":
            out.end_line()
            _table(child, out)
        elif tag == "br":
            out.end_line()
        elif tag == "pre":
            out.end_line()
            out.block("```\n" + child.text().strip("\n") + "\n```")
        elif tag in BLOCKS:
            out.end_line()
            _render(child, out, depth + 1)
            out.end_line()
        else:
            _render(child, out, depth + 1)


def _list(node: LexborNode, out: _Blocks, *, ordered: bool, indent: int, depth: int) -> None:
    number = int(node.attributes.get("start") or 1) if (node.attributes.get("start") or "1").isdigit() else 1
    first = indent == 0
    for item in node.iter():
        if item.tag != "li" or _hidden(item):
            continue
        text = " ".join(_own_text(item).split())
        marker = f"{number}. " if ordered else "- "
        if text:
            out.block("   " * indent + marker + text, tight=not first)
            first = False
        number += 1
        for nested in item.iter():
            if nested.tag in ("ul", "ol") and depth < 50:
                _list(nested, out, ordered=nested.tag == "ol", indent=indent + 1, depth=depth + 1)


def _own_text(node: LexborNode) -> str:
    parts: list[str] = []
    for child in node.iter(include_text=True):
        if child.tag == "-text":
            parts.append(child.text(deep=False))
        elif child.tag not in ("ul", "ol") and child.tag not in DROPPED:
            parts.append(_own_text(child) + (" " if child.tag in BLOCKS or child.tag == "br" else ""))
    return "".join(parts)


def _table(node: LexborNode, out: _Blocks) -> None:
    rows = [
        [" ".join(cell.text(separator=" ").split()).replace("|", "\\|") for cell in row.iter() if cell.tag in ("td", "th")]
        for row in node.css("tr")
    ]
    rows = [row for row in rows if any(row)]
    if not rows:
        return
    width = max(len(row) for row in rows)
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * width)
    out.block("\n".join(lines))


def _hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    style = (attributes.get("style") or "").replace(" ", "").lower()
    return "hidden" in attributes or attributes.get("aria-hidden") == "true" or "display:none" in style
