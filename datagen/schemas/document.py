"""Document and chunk: the user's files as text, with headings as a path and offsets that never lose their place."""

from typing import Literal

from datagen.hashing import fingerprint
from datagen.schemas.record import Frozen

Language = Literal["zh", "en"]
MediaType = Literal["md", "txt", "html", "pdf", "docx"]


class Section(Frozen):
    """A stretch of a document under one heading path: ``document.text[start:end]``, heading line included."""

    heading_path: tuple[str, ...]
    start: int
    end: int


class Document(Frozen):
    """One file read to text.

    ``text`` is Markdown: the file itself for md and txt, a rendering (``#`` headings, pipe tables, lists) for
    html, docx and pdf. All offsets anywhere in datagen are character offsets in this text. ``path`` is relative to the
    docs folder, with ``/``; ``sha256`` is of the file's bytes. Sections cover the text without gaps, in order.
    """

    path: str
    sha256: str
    media_type: MediaType
    language: Language
    title: str
    text: str
    sections: tuple[Section, ...]


class Skipped(Frozen):
    """A file that was not ingested, with a snake_case reason (``encrypted``, ``no_text_layer``, ``empty``, ...)."""

    path: str
    reason: str
    detail: str = ""


class Chunk(Frozen):
    """A passage for one generation request: ``document.text[start:end] == text``; never cuts a sentence or row."""

    id: str
    document: str
    document_sha256: str
    heading_path: tuple[str, ...]
    start: int
    end: int
    text: str
    language: Language
    n_tokens: int

    @classmethod
    def of(
        cls, document: Document, start: int, end: int, heading_path: tuple[str, ...], n_tokens: int
    ) -> "Chunk":
        """Cut a chunk out of a document; its id depends on document path, offsets and text only."""
        text = document.text[start:end]
        return cls(
            id=fingerprint([document.path, start, end, text])[:16],
            document=document.path,
            document_sha256=document.sha256,
            heading_path=heading_path,
            start=start,
            end=end,
            text=text,
            language=document.language,
            n_tokens=n_tokens,
        )
