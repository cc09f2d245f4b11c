"""Plain text: lines that stand for headings. The text itself stays as it is.

Headings are ``第一章 总则``, ``一、适用范围``, ``1. 预订`` and ``2.1 改期``, standing alone. A line counts only if it is
short, ends no sentence and has a blank line (or the start of the file) before it, so that numbered steps and sentences do not become
headings.
``Q:``/``问：`` lines are left as text. Underlined titles are Markdown and found there.
"""

import re

CHAPTER = re.compile(r"第[〇零一二三四五六七八九十百\d]{1,5}([部编篇章节])")
CHINESE = re.compile(r"[一二三四五六七八九十]{1,3}、\s*\S")
PARENTHESISED = re.compile(r"[（(][一二三四五六七八九十]{1,3}[)）]\s*\S")
NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})[.、．]?\s+\S|(\d{1,2})[、．]\s*\S")
CHAPTER_WORD = re.compile(r"(?:chapter|part|section|appendix)\s+[\divxlc]+\b", re.IGNORECASE)
ENDS_SENTENCE = re.compile(r"[。！？；，：.!?;,:…]$")
CHAPTER_LEVELS = {"部": 1, "编": 1, "篇": 1, "章": 1, "节": 2}
MAX_LENGTH = 40


def find_plain_headings(text: str) -> list[tuple[int, int, str]]:
    """Return (0-based line, level 1-6, title) of each heading-like line; a lone first line is the title, level 1."""
    lines = [line.strip() for line in text.split("\n")]
    first = next((number for number, line in enumerate(lines) if line), 0)
    more = any(lines[first + 1 :])
    found: list[tuple[int, int, str]] = []
    for number, line in enumerate(lines):
        before = lines[number - 1] if number else ""
        after = lines[number + 1] if number + 1 < len(lines) else ""
        if not line or before or len(line) > MAX_LENGTH or ENDS_SENTENCE.search(line) or "|" in line or "\t" in line:
            continue
        level = _level(line)
        numbered_list = NUMBERED.match(line) and NUMBERED.match(after) and "." not in line.split()[0].rstrip(".")
        if level and not numbered_list:
            found.append((number, level, " ".join(line.split())))
        elif number == first and not after and more and not re.match(r"[-*•·]|[QqAa问答][:：]", line):
            found.append((number, 1, " ".join(line.split())))
    # A title above numbered parts contains them.
    if len(found) > 1 and found[0][1] == 1 and not _level(found[0][2]):
        return [found[0], *((number, min(level + 1, 6), title) for number, level, title in found[1:])]
    return found


def _level(line: str) -> int:
    """Return the level of a numbered heading, or 0."""
    if chapter := CHAPTER.match(line):
        return CHAPTER_LEVELS[chapter[1]]
    if CHAPTER_WORD.match(line):
        return 1
    if CHINESE.match(line):
        return 2
    if PARENTHESISED.match(line):
        return 3
    if numbered := NUMBERED.match(line):
        return min(2 + (numbered[1] or "").count("."), 6)
    return 0
