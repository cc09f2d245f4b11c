"""Which reader takes which file ending, and how a reader says that it cannot."""

from collections.abc import Callable

from datagen.schemas.document import MediaType

Reader = Callable[[bytes], str]


class Unreadable(Exception):
    """A file is skipped, for a snake_case reason. Internal to ingest: the caller turns it into ``Skipped``."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def decode(data: bytes, declared: str | None = None) -> str:
    """Decode text: byte order mark, UTF-8, the declared charset, then GB 18030 if the result looks like Chinese.

    Raises:
        Unreadable: ``binary`` (NUL bytes) or ``wrong_encoding``.
    """
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _decode_or_skip(data, encoding)
    if b"\x00" in data[:65536]:
        raise Unreadable("binary", "NUL bytes")
    try:
        return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        pass
    for encoding in filter(None, (declared, "gb18030", "big5")):
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        if encoding == declared or _looks_chinese(text):
            return text.replace("\r\n", "\n").replace("\r", "\n")
    raise Unreadable("wrong_encoding", "neither UTF-8, UTF-16 nor GB 18030; save it as UTF-8")


def _decode_or_skip(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise Unreadable("wrong_encoding", f"marked as {encoding} but broken at byte {error.start}") from error


def _looks_chinese(text: str) -> bool:
    """True if nearly all characters outside ASCII are common ideographs or CJK punctuation: random bytes are not."""
    outside = [c for c in text if ord(c) > 127]
    common = sum("\u4e00" <= c <= "\u9fa5" or "\u3000" <= c <= "\u303f" or "\uff00" <= c <= "\uffef" or c in "“”‘’—…·℃×" for c in outside)
    return bool(outside) and common >= 0.9 * len(outside)


def _markdown(data: bytes) -> str:
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
    ".md": ("md", _markdown),
    ".markdown": ("md", _markdown),
    ".txt": ("txt", _markdown),
    ".html": ("html", _html),
    ".htm": ("html", _html),
    ".xhtml": ("html", _html),
    ".pdf": ("pdf", _pdf),
    ".docx": ("docx", _docx),
}
