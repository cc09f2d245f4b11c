"""The server: NiceGUI behind :class:`~datagen.ui.security.Guard`, pages registered by name."""

import asyncio
import importlib
import logging
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datagen.errors import DatagenError, MissingExtra, UsageError
from datagen.ui.security import LOOPBACK
from datagen.ui.visitor import Visitor, cookies_of
from datagen.workspace import Workspace

if TYPE_CHECKING:
    from datagen.ui.desk import Desk

ASSETS = Path(__file__).parent / "assets"
log = logging.getLogger(__name__)


def token_for(host: str) -> str | None:
    """Return a fresh token for a host that others can reach, None for loopback."""
    return None if host in LOOPBACK else secrets.token_urlsafe(24)


def free_port(host: str, wanted: int) -> int:
    """Return ``wanted`` if it is free, else (or for 0) a free port.

    Raises:
        UsageError: the host cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in (wanted, 0):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if port == 0:
                    raise UsageError(f"--host {host}: cannot be served on ({error.strerror})") from error
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("a socket bound to port 0 has a port")


def serve(
    workspace: Workspace, *, host: str, port: int, token: str | None, docs: Path | None, on_start: Callable[[], None] | None = None
) -> None:
    """Serve until interrupted; ``on_start`` is called once connections are taken.

    Raises:
        MissingExtra: NiceGUI is not installed.
    """
    # NiceGUI would keep its own files in the current folder.
    os.environ.setdefault("NICEGUI_STORAGE_PATH", str(workspace.state / "ui" / "nicegui"))
    try:
        from nicegui import app, background_tasks, run, ui
    except ImportError as error:
        raise MissingExtra.of("datagen ui", "ui") from error
    from datagen.ui.security import Guard

    desk = register_pages(workspace, docs)
    app.add_middleware(Guard, token=token)  # pyright: ignore[reportArgumentType]

    async def announce() -> None:
        await _listening("localhost" if host in ("0.0.0.0", "::") else host, port)
        if on_start:
            on_start()
        await desk.warm()

    def begin() -> None:
        background_tasks.create(announce())

    app.on_startup(begin)
    # A fork of a process with Polars' or torch's threads may hang.
    run.process_pool_start_method = "spawn"
    ui.run(
        host=host,
        port=port,
        title="datagen",
        reload=False,
        show=False,
        tailwind=False,
        favicon=ASSETS / "icon.svg",
        show_welcome_message=False,
        uvicorn_logging_level="error",
    )


async def _listening(host: str, port: int) -> None:
    """Return when the server takes connections: start-up handlers run before it listens."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


def register_pages(workspace: Workspace, docs: Path | None = None) -> "Desk":
    """Register all pages, the style sheet and the settings link with NiceGUI's app; return what the pages share."""
    from fastapi import HTTPException, Request
    from fastapi.responses import FileResponse, RedirectResponse
    from nicegui import app, ui

    from datagen.ui.desk import Desk
    from datagen.ui.failing import register_failures
    from datagen.ui.frame import PAGES, frame, path_of, show_error

    desk = Desk(workspace, docs)
    app.add_static_files("/assets", ASSETS)
    register_failures(app)

    @app.get("/settings")
    def settings(request: Request) -> RedirectResponse:  # pyright: ignore[reportUnusedFunction]
        query = dict(request.query_params)
        following = query.get("next", "/")
        # A path of this server only: neither "//host" nor "/\host" may lead elsewhere.
        safe = following.startswith("/") and not following.startswith(("//", "/\\"))
        response = RedirectResponse(following if safe else "/", status_code=303)
        for name, value in cookies_of(query).items():
            response.set_cookie(name, value, max_age=31_536_000, samesite="strict", httponly=True)
        return response

    @app.get("/report/{number}")
    def report(number: int) -> FileResponse:  # pyright: ignore[reportUnusedFunction]
        path = workspace.iteration(number) / "report.html"
        if not path.is_file():
            raise HTTPException(404, f"iteration {number} has no report")
        return FileResponse(path, media_type="text/html")

    def register(name: str) -> None:
        module: Any = importlib.import_module(f"datagen.ui.pages.{name}")

        async def page(request: Request) -> None:
            query = dict(request.query_params)
            visitor = Visitor.of(request.cookies, request.headers.get("accept-language", ""), path_of(name), query)
            with frame(desk, visitor, name):
                try:
                    await module.build(desk, visitor)
                except Exception as error:
                    # Where every failure of a page ends: told in the page; a defect's traceback goes to the terminal.
                    if not isinstance(error, DatagenError):
                        log.exception("page %s", name)
                    show_error(error, visitor)

        ui.page(path_of(name))(page)

    for name in PAGES:
        register(name)
    return desk
