"""``datagen serve-stub``: a fake OpenAI and Gemini endpoint until interrupted; a test tool for users too."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, say


def serve_stub(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    latency_ms: Annotated[float, typer.Option("--latency-ms", min=0, help="Time every answer takes.")] = 0,
    faults: Annotated[
        str, typer.Option("--faults", help="NAME=RATE,...: 429, 500, 503, hang, quota, torn_json, think, fences, truncate, ungrounded, ...")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", help="Draws which requests a fault strikes.")] = 0,
    retry_after_s: Annotated[float, typer.Option("--retry-after", min=0, help="Seconds a 429 asks to wait; 0: no header.")] = 0.05,
    storm: Annotated[str, typer.Option("--storm", help="PERIOD:LENGTH in seconds: 429 to everything, at the start of each period.")] = "",
    rpm: Annotated[float, typer.Option("--rpm", min=0, help="Requests a minute; 429 above it; 0: no limit.")] = 0,
    tpm: Annotated[float, typer.Option("--tpm", min=0, help="Tokens a minute; 429 above it; 0: no limit.")] = 0,
    batch_s: Annotated[float, typer.Option("--batch-seconds", min=0, help="Seconds a batch takes.")] = 0,
    idempotency: Annotated[bool, typer.Option("--idempotency", help="A repeated Idempotency-Key gets its answer again, unpaid.")] = False,
    script: Annotated[Path | None, typer.Option("--script", help="JSONL of answers to give first.")] = None,
    as_json: JsonOption = False,
) -> None:
    from datagen.jsonl import read_rows
    from datagen.testing.stub_faults import Faults
    from datagen.testing.stub_limits import ServerLimits
    from datagen.testing.stub_server import StubServer, read_script

    answers = read_script([row.value for row in read_rows(script)]) if script else []
    parsed = Faults.parse(faults, seed=seed, retry_after_s=retry_after_s, storm=storm)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    limits = ServerLimits(rpm, tpm)
    stub = StubServer(
        port=port, latency_ms=latency_ms, faults=parsed, script=answers, limits=limits, batch_s=batch_s, idempotency=idempotency
    )
    with stub:
        spec, gemini = f"openai:stub@{stub.base_url}", f"gemini:stub@{stub.gemini_url}"
        value = {"base_url": stub.base_url, "model": spec, "gemini_model": gemini, "pid": os.getpid()}
        human = f"serving on {stub.base_url}; use --model {spec} or --model {gemini}; end with Ctrl-C"
        try:
            sys.stdout.write((json.dumps(value) if as_json else human) + "\n")
            sys.stdout.flush()
            stub.join()
        except KeyboardInterrupt:
            stats = stub.stats()
            say(f"answered {stats['requests']} requests, {stats['paid']} paid, {stats['paid_twice']} of them again")
