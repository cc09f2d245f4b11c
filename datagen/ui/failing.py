"""What a visitor is told when something fails that is not theirs: one sentence and what to do; the details go to the terminal.

A :class:`~datagen.errors.DatagenError` already says both. A disk that refuses is the user's to mend and is told in their language; anything
else is a defect here, and its traceback is logged to the terminal that runs ``datagen ui``, never on the page.
"""

import errno
import html
from typing import Any

from datagen.errors import DatagenError, DiskRefused
from datagen.schemas.document import Language
from datagen.ui.words import word

DISK_REASONS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_quota",
    errno.EROFS: "disk_read_only",
    errno.EACCES: "disk_no_permission",
    errno.EPERM: "disk_not_permitted",
    errno.EMFILE: "disk_too_many_open",
    errno.ENFILE: "disk_too_many_open",
    errno.EIO: "disk_faulty",
    errno.ENOENT: "disk_no_such_file",
    errno.ENAMETOOLONG: "disk_long_name",
}
"""Words for what an operating system says in the machine's own language."""

PAGE = """<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{title} · datagen</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/assets/style.css"></head>
<body><main class="dg-main" style="padding:2rem;max-width:44rem;margin:auto;font-family:sans-serif"><h1>{title}</h1><p>{hint}</p>
<p><a href="/">{home}</a></p></main></body></html>"""


def explained(error: Exception, language: Language) -> DatagenError:
    """Return the error as one with a message and a hint, both in ``language`` but for other errors raised on purpose, which are English."""
    # A file that could not be read is told by an error of the reader, with the disk's own behind it.
    behind = error.__cause__ if isinstance(error, DatagenError) and not isinstance(error.__cause__, FileNotFoundError) else error
    if isinstance(error, DiskRefused):
        return _disk_error(error.errno, error.path, language)
    if isinstance(behind, OSError) and behind.errno is not None:
        return _disk_error(behind.errno, str(behind.filename or ""), language)
    if isinstance(error, DatagenError):
        return error
    return DatagenError(word("unexpected", language, kind=type(error).__name__), hint=word("unexpected_hint", language))


def _disk_error(code: int | None, path: str, language: Language) -> DatagenError:
    reason = DISK_REASONS.get(code or 0)
    why = word(reason, language) if reason else word("disk_other", language, code=errno.errorcode.get(code or 0, "?"))
    return DatagenError(word("disk_failed", language, why=f"{why}{f' ({path})' if path else ''}"), hint=word("disk_hint", language))


def plain_page(language: Language, *, found: bool, kind: str = "") -> str:
    """Return a page without frame, for an address that does not exist or a failure before any page stands."""
    title = word("unexpected", language, kind=kind) if found else word("no_such_page", language)
    hint = word("unexpected_hint" if found else "no_such_page_hint", language)
    lang = "zh-CN" if language == "zh" else "en"
    return PAGE.format(lang=lang, title=html.escape(title), hint=html.escape(hint), home=html.escape(word("overview", language)))


def register_failures(app: Any) -> None:
    """Give the app the product's pages for unknown addresses and for failures outside every page's frame."""
    from fastapi import Request
    from fastapi.exception_handlers import http_exception_handler
    from fastapi.responses import HTMLResponse, Response
    from starlette.exceptions import HTTPException

    from datagen.ui.visitor import Visitor

    def language(request: Request) -> Language:
        return Visitor.of(request.cookies, request.headers.get("accept-language", ""), "/", {}).language

    async def unknown(request: Request, error: Exception) -> Response:
        # Only a page's address is answered with a page; an asset or an upload gets its status alone.
        if "text/html" not in request.headers.get("accept", "") and isinstance(error, HTTPException):
            return await http_exception_handler(request, error)
        return HTMLResponse(plain_page(language(request), found=False), status_code=404)

    async def failed(request: Request, error: Exception) -> Response:
        return HTMLResponse(plain_page(language(request), found=True, kind=type(error).__name__), status_code=500)

    app.add_exception_handler(404, unknown)
    app.add_exception_handler(Exception, failed)
