"""How a reader says that it cannot, and how bytes become text."""

import re
from operator import itemgetter

MAGIC = {
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a zip archive or an Office file",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"\x1f\x8b": "a gzip archive",
    b"{\\rtf": "an RTF file",
}
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
# Names that pages declare for character sets whose real supersets browsers use (WHATWG Encoding Standard, section 4.2).
SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252"}


class Unreadable(Exception):
    """A file is skipped, for a snake_case reason. Internal to ingest: the caller turns it into ``Skipped``."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def decode(data: bytes, declared: str | None = None) -> str:
    """Decode text: byte order mark, UTF-8, the declared charset, then GB 18030 or Big5 if the result reads as Chinese.

    Line ends become ``\\n``; a byte order mark is removed.

    Raises:
        Unreadable: ``binary`` (NUL bytes, another format's signature, mostly control characters) or ``wrong_encoding``.
    """
    return re.sub(r"\r\n?", "\n", _checked(_decode(data, declared)))


def _decode(data: bytes, declared: str | None) -> str:
    for signature, name in MAGIC.items():
        if data.startswith(signature):
            raise Unreadable("binary", f"this is {name}; the file ending does not say so")
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                raise Unreadable("wrong_encoding", f"marked as {encoding} but broken at byte {error.start}") from error
    if b"\x00" in data:
        raise Unreadable("binary", "NUL bytes; if this is UTF-16 text, save it as UTF-8")
    text = _try(data, "utf-8")
    if text is not None:
        return text
    if declared and declared.lower() not in ("utf-8", "utf8"):
        text = _try(data, SUPERSETS.get(declared.lower(), declared.lower()))
        if text is not None:
            return text
    # Both decoders accept most of each other's texts: the one that gives everyday characters is right.
    candidates = [(encoding, _try(data, encoding)) for encoding in ("gb18030", "big5")]
    scored = [(_everyday(text, encoding), text) for encoding, text in candidates if text is not None]
    score, text = max(scored, key=itemgetter(0), default=(0.0, ""))
    if score < 0.7:
        raise Unreadable("wrong_encoding", "neither UTF-8, UTF-16, GB 18030 nor Big5; save it as UTF-8")
    return text


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeError, LookupError):
        # Expected: the caller tries the next encoding. LookupError is a charset that a page made up.
        return None


def _everyday(text: str, encoding: str) -> float:
    """Return the share, in [0, 1], of the characters outside ASCII that are frequent ones or full-width punctuation.

    Source: GB 2312-80 puts its 3,755 most used characters in rows 16-55 (lead bytes B0-D7), symbols in rows 1-9; Big5 puts its 5,401 most
    used in A440-C67E, symbols in A140-A3BF.
    """
    outside = [c for c in text if ord(c) > 127]
    codec, first, last = ("gb2312", 0xB0, 0xD7) if encoding == "gb18030" else ("big5", 0xA4, 0xC6)
    leads = [c.encode(codec, "replace")[0] for c in outside]
    return sum(first <= lead <= last or 0xA1 <= lead <= 0xA3 for lead in leads) / len(outside) if outside else 0.0


def _checked(text: str) -> str:
    if len(CONTROL.findall(text)) * 100 > len(text):
        raise Unreadable("binary", "more than one character in a hundred is a control character")
    return text
