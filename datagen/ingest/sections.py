"""Headings of a Markdown text as a path, with offsets: sections cover the text without gaps."""

from markdown_it import MarkdownIt

from datagen.schemas.document import Section


def find_sections(text: str) -> list[Section]:
    """Return the sections in order. Headings inside code fences and lists do not count; text before the first heading has path ()."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    path: list[tuple[int, str]] = []
    marks: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    tokens = MarkdownIt("commonmark").parse(text)
    for index, token in enumerate(tokens):
        if token.type != "heading_open" or token.level != 0 or token.map is None:
            continue
        level = int(token.tag[1])
        title = " ".join(tokens[index + 1].content.split())
        path = [*((depth, name) for depth, name in path if depth < level), (level, title)]
        marks.append((min(starts[token.map[0]], len(text)), tuple(name for _, name in path)))
    if len(marks) > 1 and marks[1][0] == 0:
        marks.pop(0)
    ends = [start for start, _ in marks[1:]] + [len(text)]
    return [Section(heading_path=names, start=start, end=end) for (start, names), end in zip(marks, ends, strict=True)]
