"""What of an HTML element is read, and its text on one line."""

import re

from selectolax.lexbor import LexborNode

from datagen.text import CJK

DROPPED = frozenset(
    (
        *("script", "style", "noscript", "template", "nav", "footer", "svg", "math", "iframe", "object", "button", "select", "textarea"),
        *("head", "audio", "video", "canvas", "dialog"),
    )
)
CHROME = frozenset(
    ("nav", "navbar", "navheader", "navfooter", "navigation", "breadcrumb", "breadcrumbs", "pagination", "footer", "sidebar-nav")
)
BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl", "dt", "fieldset"),
        *("figcaption", "figure", "form", "header", "hgroup", "hr", "html", "legend", "main", "p", "section", "summary"),
    )
)
BREAKING = BLOCKS | {"br", "li", "ul", "ol", "pre", "table", "tr", "td", "th"}
# A line break in the source between two Chinese characters is not a space.
BREAK_IN_CHINESE = re.compile(rf"(?<=[{CJK}，。；：、！？”）])[ \t\r]*\n\s*(?=[{CJK}“（])")
INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\xad]")
LINE_BREAK = "\v"
MAX_DEPTH = 150


def is_dropped(node: LexborNode) -> bool:
    """Tell whether an element is no text of the page: hidden, a script, a comment, or navigation."""
    tag = node.tag or ""
    if tag in DROPPED or tag.startswith(("-", "!")):
        return True
    attributes = node.attributes
    chrome = CHROME.intersection((attributes.get("class") or "").lower().split()) or attributes.get("role") in ("navigation", "contentinfo")
    return bool(chrome) or is_hidden(node)


def is_hidden(node: LexborNode) -> bool:
    """Tell whether browsers do not show an element."""
    attributes = node.attributes
    style = (attributes.get("style") or "").replace(" ", "").lower()
    return "hidden" in attributes or attributes.get("aria-hidden") == "true" or "display:none" in style or "visibility:hidden" in style


def inline_text(node: LexborNode) -> str:
    """Return an element's text on one line: a space where a line ends, none inside words; what is dropped is left out."""
    parts: list[str] = []
    _gather(node, parts, 0)
    return tidy("".join(parts)).replace(LINE_BREAK, " ")


def tidy(text: str) -> str:
    """Collapse white space; ``LINE_BREAK`` marks survive between words."""
    text = BREAK_IN_CHINESE.sub("", INVISIBLE.sub("", text))
    lines = [" ".join(line.split()) for line in text.split(LINE_BREAK)]
    return LINE_BREAK.join(line for line in lines if line)


def _gather(node: LexborNode, parts: list[str], depth: int) -> None:
    if depth > MAX_DEPTH:
        parts.append(node.text(separator=" "))
        return
    for child in node.iter(include_text=True):
        if child.tag == "-text":
            parts.append(child.text(deep=False).replace(LINE_BREAK, " "))
        elif not is_dropped(child):
            edge = LINE_BREAK if child.tag in BREAKING else ""
            parts.append(edge)
            _gather(child, parts, depth + 1)
            parts.append(edge)
