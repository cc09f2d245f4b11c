"""A fact: something a passage states, with the places that state it and what a question about it needs to know."""

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from datagen.generate.extractive.markdown import plain
from datagen.hashing import fingerprint
from datagen.schemas.document import Document, Language
from datagen.text import Span

# Headings that say nothing without the document's title.
_GENERIC = re.compile(
    r"(?i)^(?:概述|简介|介绍|说明|总则|附则|其他|其它|备注|注意事项|温馨提示|常见问题|基本信息|背景|目的|适用范围|内容|详情|更多|总结"
    r"|overview|introduction|summary|notes?|general|details|other|faq|background|purpose|scope|contents?|more|conclusion"
    r"|basic information)$"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a document.

    Attributes:
        kind: question type: faq, definition, table, table_row, procedure, step, list, key_value, number, date, rule,
            statement.
        span: the passage that states it, offsets in the document.
        evidence: verbatim spans an answer rests on; ``span`` is within or equal to their union.
        full: the long answer (whole sentence, row, list), used by train phrasings.
        short: the short answer (value, cell, clause), used by exam phrasings; equal to ``full`` if nothing shorter exists.
        form: template section, where it is not the kind.
        reverse: what the fact is about, asked for in the exam where the long answer nearly equals the short one; '' if it
            cannot be asked for.
        slots: values for the templates' slots; text of the document, never a template itself.
    """

    kind: str
    span: Span
    evidence: tuple[Span, ...]
    full: str
    short: str
    slots: dict[str, str] = field(default_factory=dict[str, str])
    form: str = ""
    reverse: str = ""

    def key(self, document: Document) -> str:
        """Return a stable key of the fact: document path, offsets and kind, with what is asked."""
        return fingerprint([document.path, self.span.start, self.span.end, self.kind, self.short])[:16]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage stands: the names a question can use to be understood on its own."""

    title: str
    heading: str
    language: Language

    @property
    def where(self) -> str:
        """Return document and section as a noun phrase: ``《入住须知》的“取消政策”`` or ``"Cancellation" in Guest Guide``."""
        if self.language == "zh":
            return f"《{self.title}》的“{self.heading}”" if self.heading else f"《{self.title}》"
        return f'the "{self.heading}" section of {self.title}' if self.heading else self.title

    @property
    def topic(self) -> str:
        """Return the section's name alone if it says something, else the same as ``where``."""
        if not self.heading or _GENERIC.match(self.heading):
            return self.where
        return f"“{self.heading}”" if self.language == "zh" else f'"{self.heading}"'

    @property
    def book(self) -> str:
        """Return the document's name."""
        return f"《{self.title}》" if self.language == "zh" else self.title


def place_of(document: Document, offset: int, language: Language) -> Place:
    """Return the place of an offset from the document's title and sections."""
    starts = [section.start for section in document.sections]
    index = bisect_right(starts, offset) - 1
    path = document.sections[index].heading_path if index >= 0 else ()
    title = _name(document.title).rstrip("?？") or _name(document.path.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    names = [name for name in (_name(part) for part in path) if name and name != title]
    heading = names[-1] if names else ""
    if len(names) > 1 and _GENERIC.match(heading):
        heading = f"{names[-2]}：{heading}" if language == "zh" else f"{names[-2]}: {heading}"
    return Place(title, heading, language)


def _name(text: str) -> str:
    name = plain(text).strip(" 　:：。.#")
    name = re.sub(
        r"^(?:第[一二三四五六七八九十百\d]+[章节条部分]+|[一二三四五六七八九十]+、|[（(][一二三四五六七八九十\d]+[)）]|\d+(?:\.\d+)*[.、]?)\s*(?=\S)",
        "",
        name,
    )
    return name.replace("《", "").replace("》", "").replace("“", "").replace("”", "").replace('"', "").strip()
