"""Which reader takes which file ending.

A reader is ``bytes -> Markdown text``; it raises :class:`datagen.ingest.decoding.Unreadable` and nothing else, whatever the bytes are.
"""

from collections.abc import Callable

from datagen.ingest.decoding import decode
from datagen.schemas.document import MediaType

Reader = Callable[[bytes], str]


def _text(data: bytes) -> str:
    return decode(data)


def _html(data: bytes) -> str:
    from datagen.ingest.html import html_to_markdown

    return html_to_markdown(data)


def _pdf(data: bytes) -> str:
    from datagen.ingest.pdf import pdf_to_markdown

    return pdf_to_markdown(data)


def _docx(data: bytes) -> str:
    from datagen.ingest.docx import docx_to_markdown

    return docx_to_markdown(data)


READERS: dict[str, tuple[MediaType, Reader]] = {
    ".md": ("md", _text),
    ".markdown": ("md", _text),
    ".txt": ("txt", _text),
    ".html": ("html", _html),
    ".htm": ("html", _html),
    ".xhtml": ("html", _html),
    ".pdf": ("pdf", _pdf),
    ".docx": ("docx", _docx),
}
