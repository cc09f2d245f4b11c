"""Throughput of the client over loopback HTTP at a fixed latency: ``make bench-generate``.

The share of the ideal (concurrency / latency), CPU milliseconds a request and peak memory of the client's process alone, and CPU
milliseconds a request of the endpoint, which runs in another process on the same cores. The whole path is on: key, store in a file,
limiter, budget, retry loop. Beside it, in the same run, the ceiling: a *bare* client that sends fixed bytes and has httptools find the end
of each answer, and nothing else; the vendor's SDK on the same requests; and bespokelabs-curator and data-designer where their environments
exist (``~/.cache/<name>-venv``). ``--rounds`` takes the fastest of several runs of datagen and of the bare client, by turns.

    python tests/bench/generate_speed.py [--latency-ms 200] [--seconds 10] [--concurrency 64,256,1024] [--rounds 1]
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PEERS = {"bespokelabs-curator": Path.home() / ".cache/curator-venv", "data-designer": Path.home() / ".cache/data-designer-venv"}
SYSTEM = "你是一名严谨的数据工程师，请只根据材料提问和回答。" * 4
PASSAGE = "早餐供应时间为 7:00 至 10:30，地点在二楼餐厅，未含早餐的客人每位收费 68 元。" * 8


async def ours(url: str, concurrency: int, n: int, folder: Path) -> None:
    from datagen.clients import ChatMessage, ChatRequest, Limits, Parameters, open_client
    from datagen.clients.collecting import rare_collections

    (folder / "prices.yaml").write_text("stub: {input: 0.1, output: 0.4}\n", encoding="utf-8")
    limits = Limits(budget=1000)
    client = open_client(f"openai:stub@{url}", folder / "r.sqlite", concurrency=concurrency, limits=limits, workspace=folder)

    async def ask(i: int) -> None:
        messages = (ChatMessage("system", SYSTEM), ChatMessage("user", f"{i}\n{PASSAGE}"))
        await client.complete(ChatRequest("openai", url, "stub", messages, Parameters(0.7, 2400)))

    with rare_collections():  # as around every run of ``generate``
        await measure(ask, concurrency, n)
    await client.aclose()


class Bare(asyncio.Protocol):
    """One connection that sends the same bytes again and again; httptools tells where an answer ends."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def exchange(self, raw: bytes) -> None:
        import httptools

        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(raw)
        await self._answer

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._answer.set_result(None)


async def bare(url: str, concurrency: int, n: int, folder: Path) -> None:
    port = int(url.split(":")[2].split("/")[0])
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"1\n{PASSAGE}"}]
    body = json.dumps({"model": "stub", "messages": messages, "temperature": 0.7, "max_tokens": 2400}, ensure_ascii=False).encode()
    raw = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    loop = asyncio.get_running_loop()
    idle = [(await loop.create_connection(Bare, "127.0.0.1", port))[1] for _ in range(concurrency)]

    async def ask(i: int) -> None:
        connection = idle.pop()
        await connection.exchange(raw)
        idle.append(connection)

    await measure(ask, concurrency, n)


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


CHILDREN = {"datagen": ours, "bare": bare, "openai_sdk": sdk}


def cpu_s(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-ms", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--concurrency", default="64,256,1024")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sdk", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--child", nargs=4, metavar=("WHAT", "URL", "CONCURRENCY", "N"))
    options = parser.parse_args()
    if options.child:
        what, url, concurrency, n = options.child
        sys.path.insert(0, str(HERE.parents[1]))
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(CHILDREN[what](url, int(concurrency), int(n), Path(folder)))
        return
    command = [sys.executable, str(HERE / "generate_stub.py"), "0", str(options.latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        assert stub.stdout is not None
        url = f"http://127.0.0.1:{stub.stdout.readline().strip()}/v1"
        try:
            for concurrency in map(int, options.concurrency.split(",")):
                ideal = concurrency / options.latency_ms * 1000
                n = round(ideal * options.seconds)
                wanted = [("bare", n), ("datagen", n)] * options.rounds + [("openai_sdk", min(n, 5000))] * options.sdk
                best: dict[str, dict[str, float] | str] = {}
                for what, count in wanted:
                    child = [__file__, "--child", what, url, str(concurrency), str(count)]
                    before_s = cpu_s(stub.pid)
                    found = run_child(sys.executable, child, options.seconds * 12)
                    if not isinstance(found, str):
                        found["stub_cpu_ms"] = (cpu_s(stub.pid) - before_s) / (count + concurrency) * 1000
                        found["n"] = count
                    known = best.get(what)
                    if known is None or isinstance(known, str) or (not isinstance(found, str) and found["seconds"] < known["seconds"]):
                        best[what] = found
                for what, found in best.items():
                    show(what, concurrency, ideal, n if isinstance(found, str) else int(found["n"]), found)
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
            f"  {found['cpu_ms']:.3f} ms CPU a request  {found['peak_mb']:.0f} MB"
            + (f"  endpoint {found['stub_cpu_ms']:.3f} ms CPU a request\n" if "stub_cpu_ms" in found else "\n")
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
