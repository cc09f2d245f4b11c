"""``datagen serve ADAPTER``: the tuned model behind an OpenAI-compatible endpoint on loopback, by a server that exists."""

import os
import signal
import subprocess
import sys
from typing import Annotated, Literal

import typer

from datagen.cli.console import JsonOption, emit, say, url_host, workspace_of


def serve(
    ctx: typer.Context,
    adapter: Annotated[str, typer.Argument(help="PEFT adapter, a whole model's folder, or a name of 'datagen models'.")],
    model: Annotated[str, typer.Option("--model", help="Base model (default: the one the adapter names).")] = "",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to serve on.")] = 8000,
    host: Annotated[str, typer.Option("--host", help="Loopback, unless you put a gate before it: no password.")] = "127.0.0.1",
    engine: Annotated[
        Literal["auto", "transformers", "vllm"], typer.Option("--engine", help="auto: vLLM if it is installed, else transformers serve.")
    ] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Prepare the folder and print the command, start nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    import shlex

    from datagen.errors import DatagenError
    from datagen.probe.talk.served import listing_cache, model_or_adapter, served_folder, server_command

    folder = served_folder(model_or_adapter(adapter, on_note=say), workspace_of(ctx).state / "served", model=model, on_note=say)
    command = server_command(folder, engine=None if engine == "auto" else engine, host=host, port=port)
    base_url = f"http://{url_host(host)}:{port}/v1"
    value = {"base_url": base_url, "model": folder.name, "folder": str(folder), "command": command, "started": not dry_run}
    emit(
        value,
        as_json=as_json,
        human=f"{base_url}  model {folder.name}\nin {folder.parent}: {shlex.join(command)}" + ("" if dry_run else "\nend with Ctrl-C"),
    )
    if host not in ("127.0.0.1", "localhost", "::1"):
        say(f"warning: {host} is not loopback: whoever reaches this port can use the model")
    if dry_run:
        return
    # No hub is asked for a folder that lies here, no telemetry leaves, and stdout is ours alone.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_CACHE": str(listing_cache(folder))}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = subprocess.Popen(command, cwd=folder.parent, env=environment, stdout=sys.stderr)
    try:
        code = server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return
    if code:
        hint = f"run it by hand to see more: cd {folder.parent} && {shlex.join(command)}"
        raise DatagenError(f"the server ended with exit code {code}", hint=hint)
