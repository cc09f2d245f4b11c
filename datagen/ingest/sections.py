"""Headings of a text as a path, with offsets: sections cover the text without gaps, in order, heading line included."""

import re
from functools import cache

from markdown_it import MarkdownIt

from datagen.ingest.plain import find_plain_headings
from datagen.schemas.document import Section

FRONT_MATTER = re.compile(r"---[ \t]*\n(?:[\w-]+[ \t]*:.*\n|[ \t]+.*\n|- .*\n|[ \t]*\n|#.*\n)*?(?:---|\.\.\.)[ \t]*(?:\n|$)")
MAX_HEADING = 120


def find_sections(text: str, *, plain: bool = False) -> list[Section]:
    """Return the sections of a text.

    Markdown headings count (ATX, and setext of one line) outside code fences, lists and YAML front matter. With ``plain``, heading-like
    lines of plain text count too (see :mod:`datagen.ingest.plain`). Text before the first heading has the path ``()``.
    """
    headings = _markdown_headings(text)
    if plain and not headings:
        headings = find_plain_headings(text)
    starts = _line_starts(text)
    path: list[tuple[int, str]] = []
    marks: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    for line, level, title in headings:
        path = [*((depth, name) for depth, name in path if depth < level), (level, title)]
        marks.append((starts[line], tuple(name for _, name in path)))
    if len(marks) > 1 and marks[1][0] == 0:
        marks.pop(0)
    ends = [start for start, _ in marks[1:]] + [len(text)]
    return [Section(heading_path=names, start=start, end=end) for (start, names), end in zip(marks, ends, strict=True)]


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts


def _markdown_headings(text: str) -> list[tuple[int, int, str]]:
    """Return (0-based line, level 1-6, title) of each heading."""
    front = FRONT_MATTER.match(text)
    if front:
        text = "\n" * text.count("\n", 0, front.end()) + text[front.end() :]
    tokens = _parser().parse(text)
    found: list[tuple[int, int, str]] = []
    for index, token in enumerate(tokens):
        if token.type != "heading_open" or token.level != 0 or token.map is None:
            continue
        title = _clean(tokens[index + 1].content)
        first, last = token.map
        # A paragraph followed by a line of dashes is formally a heading; people mean a rule.
        if title and len(title) <= MAX_HEADING and (token.markup.startswith("#") or last - first == 2):
            found.append((first, int(token.tag[1]), title))
    return found


@cache
def _parser() -> MarkdownIt:
    # Only block structure is needed; inline parsing is the slow part and can be made slower by hostile text.
    return MarkdownIt("commonmark").disable(["inline", "text_join"])


def _clean(title: str) -> str:
    """Take emphasis, code marks, link targets and anchors out of a heading."""
    title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", title)
    title = re.sub(r"\s*\{#[^}]*\}\s*$", "", title)
    title = re.sub(r"(\*\*|__|`+|\*(?=\S))(.+?)\1", r"\2", title)
    return " ".join(title.split())
