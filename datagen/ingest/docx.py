"""Word documents: mammoth turns docx into HTML, the HTML reader turns that into Markdown. Archives that unpack to too much are refused."""

import io
import zipfile

from datagen.ingest.html import html_to_markdown
from datagen.ingest.reading import Unreadable

MAX_UNPACKED = 512 * 1024 * 1024
MAX_RATIO = 200


def docx_to_markdown(data: bytes) -> str:
    """Render docx bytes as Markdown: headings, numbered lists, tables. Images are left out; nothing outside the file is opened.

    Raises:
        Unreadable: ``encrypted``, ``zip_bomb`` or ``broken``.
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
            xml = archive.read("word/document.xml")
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        raise Unreadable("broken", f"not a docx archive: {error}") from error
    if b"<!DOCTYPE" in xml[:4096] or b"<!ENTITY" in xml:
        raise Unreadable("broken", "declares XML entities, which no word processor writes")
    return html_to_markdown(_to_html(data).encode())


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
