"""``datagen serve-stub``."""

import json
import sys
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, say
from datagen.errors import UsageError, suggest


def serve_stub(
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    latency_ms: Annotated[int, typer.Option("--latency-ms", min=0)] = 0,
    fault: Annotated[list[str] | None, typer.Option("--fault", help="NAME=SHARE, for example 429=0.2; may be repeated.")] = None,
    seed: Annotated[str, typer.Option("--seed", help="Draws which requests a fault befalls.")] = "stub",
    as_json: JsonOption = False,
) -> None:
    from datagen.testing.stub_server import FAULTS, Script, StubServer

    faults: dict[str, float] = {}
    for item in fault or []:
        name, _, share = item.partition("=")
        if name not in FAULTS:
            raise UsageError(f"--fault {item}: unknown fault '{name}'", hint=suggest(name, FAULTS))
        try:
            faults[name] = float(share)
        except ValueError as error:
            raise UsageError(f"--fault {item}: expected NAME=SHARE with a share from 0 to 1") from error
    try:
        server = StubServer(Script(latency_s=latency_ms / 1000, faults=faults, seed=seed), port)
    except OSError as error:
        raise UsageError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}", hint="choose another --port") from error
    spec = f"openai:stub@{server.base_url}"
    sys.stdout.write((json.dumps({"base_url": server.base_url, "model": spec}) if as_json else f"serving; use the model string {spec}") + "\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("stopped")
    finally:
        server.server_close()
