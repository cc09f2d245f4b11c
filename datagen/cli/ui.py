"""``datagen ui``: the page, on loopback unless told otherwise."""

from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit, say, url_host, workspace_of


def ui(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", help="Address to serve on; any but loopback needs the token printed.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port; another free one if it is taken, 0 for any.", min=0, max=65535)] = 8765,
    docs: Annotated[Path | None, typer.Option("--docs", help="Folder of documents to offer on the Run page.", file_okay=False)] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    as_json: JsonOption = False,
) -> None:
    from datagen.errors import UsageError
    from datagen.ui.server import free_port, serve, token_for

    if docs is not None and not docs.is_dir():
        raise UsageError(f"--docs {docs}: no such folder")
    token = token_for(host)
    chosen = free_port(host, port)
    url = f"http://{url_host(host)}:{chosen}/" + (f"?token={token}" if token else "")

    def started() -> None:
        emit({"url": url, "workspace": str(workspace_of(ctx).root)}, as_json=as_json, human=url)
        # Whoever reads a pipe is told now, not when the server ends.
        import sys

        sys.stdout.flush()
        say("Ctrl+C ends the server; decisions and runs are kept")
        if browser:
            import webbrowser

            webbrowser.open(url)

    serve(workspace_of(ctx), host=host, port=chosen, token=token, docs=docs.resolve() if docs else None, on_start=started)
