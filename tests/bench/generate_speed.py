"""Throughput of the client over loopback HTTP at a fixed latency: ``make bench-generate``.

The share of the ideal (concurrency / latency), CPU milliseconds a request and peak memory of the client's process alone; the endpoint
runs in another process. The whole path is on: key, store in a file, limiter, budget, retry loop. Beside it, in the same run, the
vendor's SDK on the same requests, and bespokelabs-curator and data-designer where their environments exist (``/root/.cache/<name>-venv``).

    python tests/bench/generate_speed.py [--latency-ms 200] [--seconds 10] [--concurrency 64,256,1024]
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS = {"bespokelabs-curator": Path("/root/.cache/curator-venv"), "data-designer": Path("/root/.cache/data-designer-venv")}
SYSTEM = "你是一名严谨的数据工程师，请只根据材料提问和回答。" * 4
PASSAGE = "早餐供应时间为 7:00 至 10:30，地点在二楼餐厅，未含早餐的客人每位收费 68 元。" * 8


async def ours(url: str, concurrency: int, n: int, folder: Path) -> None:
    from datagen.clients import ChatMessage, ChatRequest, Limits, Parameters, open_client

    (folder / "prices.yaml").write_text("stub: {input: 0.1, output: 0.4}\n", encoding="utf-8")
    limits = Limits(budget=1000)
    client = open_client(f"openai:stub@{url}", folder / "r.sqlite", concurrency=concurrency, limits=limits, workspace=folder)

    async def ask(i: int) -> None:
        messages = (ChatMessage("system", SYSTEM), ChatMessage("user", f"{i}\n{PASSAGE}"))
        await client.complete(ChatRequest("openai", url, "stub", messages, Parameters(0.7, 2400)))

    await measure(ask, concurrency, n)
    await client.aclose()


async def sdk(url: str, concurrency: int, n: int, folder: Path) -> None:
    import openai

    client = openai.AsyncOpenAI(api_key="none", base_url=url, timeout=60, max_retries=0)

    async def ask(i: int) -> None:
        messages: Any = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"{i}\n{PASSAGE}"}]
        await client.chat.completions.create(model="stub", messages=messages, temperature=0.7, max_tokens=2400)

    await measure(ask, concurrency, n)


async def measure(ask: Any, concurrency: int, n: int) -> None:
    """Warm up with one request a place, then time ``n`` requests by ``concurrency`` workers."""
    await asyncio.gather(*(ask(-1 - i) for i in range(concurrency)))
    numbers = iter(range(n))

    async def work() -> None:
        for i in numbers:
            await ask(i)

    began_s, cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    report(time.perf_counter() - began_s, time.process_time() - cpu_s, n)


def report(seconds: float, cpu_s: float, n: int) -> None:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu_ms": cpu_s / n * 1000, "peak_mb": peak_mb}) + "\n")


def run_child(python: Path | str, arguments: list[str], timeout_s: float) -> dict[str, float] | str:
    """Run one measurement in a process of its own; return its figures, or the last words of what went wrong."""
    command = [str(python), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=HERE.parents[1])
    except subprocess.TimeoutExpired:
        return f"not done within {timeout_s:.0f} s"
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"seconds"')]
    return json.loads(lines[-1]) if lines else (done.stderr.strip().splitlines() or ["no output"])[-1][:160]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-ms", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--concurrency", default="64,256,1024")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--child", nargs=4, metavar=("WHAT", "URL", "CONCURRENCY", "N"))
    options = parser.parse_args()
    if options.child:
        what, url, concurrency, n = options.child
        sys.path.insert(0, str(HERE.parents[1]))
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run((ours if what == "datagen" else sdk)(url, int(concurrency), int(n), Path(folder)))
        return
    command = [sys.executable, str(HERE / "generate_stub.py"), "0", str(options.latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        assert stub.stdout is not None
        url = f"http://127.0.0.1:{stub.stdout.readline().strip()}/v1"
        try:
            for concurrency in map(int, options.concurrency.split(",")):
                ideal = concurrency / options.latency_ms * 1000
                n = round(ideal * options.seconds)
                for what, count in (("datagen", n), ("openai sdk", min(n, 5000))):
                    child = [__file__, "--child", what.replace(" ", "_"), url, str(concurrency), str(count)]
                    show(what, concurrency, ideal, count, run_child(sys.executable, child, options.seconds * 12))
                for name, venv in PEERS.items():
                    if options.peers and (venv / "bin/python").exists() and concurrency <= 256:
                        few = min(n, 2000)
                        child = [str(HERE / "generate_peers.py"), name, url, str(concurrency), str(few)]
                        show(name, concurrency, ideal, few, run_child(venv / "bin/python", child, 90))
        finally:
            stub.terminate()


def show(what: str, concurrency: int, ideal: float, n: int, found: dict[str, float] | str) -> None:
    if isinstance(found, str):
        sys.stdout.write(f"{what:20} concurrency {concurrency:5}  {found}\n")
    else:
        rate = n / found["seconds"]
        sys.stdout.write(
            f"{what:20} concurrency {concurrency:5}  {rate:6.0f} of {ideal:.0f} requests/s = {rate / ideal:4.0%}"
            f"  {found['cpu_ms']:.2f} ms CPU a request  {found['peak_mb']:.0f} MB\n"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
