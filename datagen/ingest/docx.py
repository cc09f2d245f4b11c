"""Word documents: mammoth turns docx into HTML, the HTML reader turns that into Markdown. Archives that unpack to too much are refused."""

import io
import zipfile
import zlib

from datagen.ingest.decoding import Unreadable
from datagen.ingest.html import html_to_markdown

MAX_UNPACKED = 512 * 1024 * 1024
# The XML parts become a tree in memory, some twenty times their size.
MAX_XML = 64 * 1024 * 1024
MAX_RATIO = 200


def docx_to_markdown(data: bytes) -> str:
    """Render docx bytes as Markdown: headings, numbered lists, tables. Images are left out; nothing outside the file is opened.

    Raises:
        Unreadable: ``encrypted``, ``zip_bomb``, ``too_large`` or ``broken``.
    """
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unreadable("encrypted", "password-protected, or an old .doc; save it as .docx without a password")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            unpacked = sum(info.file_size for info in infos)
            if unpacked > MAX_UNPACKED or any(i.file_size > 1_000_000 and i.file_size > MAX_RATIO * max(i.compress_size, 1) for i in infos):
                raise Unreadable("zip_bomb", f"unpacks to {unpacked} bytes")
            if not any(info.filename == "word/document.xml" for info in infos):
                raise Unreadable("broken", "no word/document.xml inside")
            parts = [info for info in infos if info.filename.lower().endswith((".xml", ".rels"))]
            if sum(info.file_size for info in parts) > MAX_XML:
                raise Unreadable("too_large", f"its text parts unpack to more than {MAX_XML} bytes")
            for part in parts:
                _check_xml(part.filename, archive.read(part))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        raise Unreadable("broken", f"not a docx archive: {error}") from error
    return html_to_markdown(_to_html(data).encode())


def _check_xml(name: str, xml: bytes) -> None:
    """Refuse document type declarations, the only way to entities, in any of the encodings XML parsers accept unasked."""
    plain = xml.replace(b"\x00", b"")
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise Unreadable("broken", f"{name} declares XML entities, which no word processor writes")


def _to_html(data: bytes) -> str:
    import mammoth

    try:
        images = mammoth.images.img_element(_no_image)
        result = mammoth.convert_to_html(io.BytesIO(data), convert_image=images, external_file_access=False)
    except Exception as error:  # mammoth raises whatever its XML walk meets in a damaged file
        raise Unreadable("broken", f"{type(error).__name__}: {error}") from error
    return f"<html><body>{result.value}</body></html>"


def _no_image(image: object) -> dict[str, str]:
    return {}
