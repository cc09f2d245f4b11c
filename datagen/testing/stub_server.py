"""A fake OpenAI and Gemini endpoint on loopback: ``with StubServer() as stub: open_client(f"openai:stub@{stub.base_url}", ...)``.

Serves OpenAI's ``/v1/chat/completions`` (not streaming), ``/v1/models``, ``/v1/files`` and ``/v1/batches``, Gemini's ``generateContent``,
``batchGenerateContent`` and ``batches`` below ``/v1beta``, and ``GET /stub/stats``; listens on 127.0.0.1 only, in a thread with its own
event loop. Answers are a function of the request (``stub_content``); faults of an exchange are drawn by seed, request and try, those of
content by seed and request alone (``stub_faults``), so that what a killed run asks again reads the same.

It counts what was paid, so that a test can prove that nothing is lost or paid twice. Paid is an answer that the client took. Two counts
tell what a killed client left behind in flight, which a real provider may bill as well: ``abandoned``, the client was gone before the
answer was written; ``undelivered``, it died with the answer unread (TCP then resets the connection).

With ``idempotency`` it keeps to the ``Idempotency-Key`` header as the providers do that honour it: an answer is paid once, when it is made,
and a repeated request with its key gets the same answer for nothing.
"""

import asyncio
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from datagen.errors import DatagenError, UsageError
from datagen.hashing import fingerprint
from datagen.jsonl import JsonObject
from datagen.testing import stub_gemini
from datagen.testing.stub_batch import Batches
from datagen.testing.stub_batch_api import answer_gemini, answer_openai, create_gemini
from datagen.testing.stub_content import Completion, write_completion
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_limits import ServerLimits
from datagen.testing.stub_reply import Bill, Reply, error
from datagen.testing.stub_spoil import Planted
from datagen.text import estimate_tokens

MAX_BODY = 64 * 1024 * 1024
HANG_S = 3600.0
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}


class StubServer:
    """The server; a context manager, or :meth:`start` and :meth:`stop`.

    Args:
        port: 0 takes a free one.
        latency_ms: fixed time an answer takes.
        faults: what goes wrong, and how often.
        script: answers to give first, in order of arrival, before normal service: objects with ``status`` (200), ``content``,
            ``finish_reason``, ``error`` (object of an error body), ``headers``.
        api_key: if set, requests must carry it.
        limits: requests and tokens a minute, told in headers, 429 above them.
        batch_s: seconds a batch takes.
        idempotency: answer a repeated ``Idempotency-Key`` from memory, unpaid. Most real providers do not.
        tls: speak HTTPS with this certificate.

    Attributes:
        prompts: bodies of all chat requests, in order of arrival.
        arrived_s: when each of them came, seconds, monotonic.
        planted: faults of content by name with the item each struck, in order of answers.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        latency_ms: float = 0,
        faults: Faults | None = None,
        script: Sequence[JsonObject] = (),
        api_key: str = "",
        limits: ServerLimits | None = None,
        batch_s: float = 0,
        idempotency: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.prompts: list[JsonObject] = []
        self.arrived_s: list[float] = []
        self.planted: list[Planted] = []
        self._port = port
        self._tls = tls
        self._latency_s = latency_ms / 1000
        self._faults = faults or Faults()
        self._script = list(script)
        self._api_key = api_key
        self._made: dict[str, Reply] | None = {} if idempotency else None
        self._limits = limits or ServerLimits()
        self.batches = Batches(self._complete_now, seconds=batch_s)
        self._arrivals: Counter[str] = Counter()
        self._paid: Counter[str] = Counter()
        self._by_status: Counter[int] = Counter()
        self._in_flight = self._most_in_flight = self._tokens_in = self._tokens_out = 0
        self._abandoned = self._undelivered = 0
        self._first_s: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="datagen-stub", daemon=True)

    @property
    def port(self) -> int:
        return self._port

    @property
    def base_url(self) -> str:
        """The URL an ``openai:`` spec ends with."""
        return f"{self._root}/v1"

    @property
    def gemini_url(self) -> str:
        """The URL a ``gemini:`` spec ends with."""
        return self._root

    @property
    def _root(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}"

    def start(self) -> "StubServer":
        """Listen, then return.

        Raises:
            DatagenError: the port is taken.
        """
        self._thread.start()
        self._ready.wait()
        if self._failure:
            raise DatagenError(
                f"cannot listen on 127.0.0.1:{self._port}: {self._failure.strerror}", hint="choose another --port, or 0 for a free one"
            )
        return self

    def stop(self) -> None:
        """Drop open connections and end the thread."""
        if self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def join(self) -> None:
        """Wait until the server stops."""
        self._thread.join()

    def __enter__(self) -> "StubServer":
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stats(self) -> JsonObject:
        """Return counts: ``requests``, ``by_status``, ``paid`` (answered 200), ``paid_by_request`` (hash of the body without
        ``response_format`` -> times paid), ``paid_twice``, tokens of paid answers, ``abandoned`` and ``undelivered`` answers, ``batches``
        and ``most_in_flight``."""
        return {
            "requests": sum(self._arrivals.values()),
            "by_status": {str(status): n for status, n in sorted(self._by_status.items())},
            "paid": sum(self._paid.values()),
            "paid_by_request": dict(self._paid),
            "paid_twice": sum(n - 1 for n in self._paid.values()),
            "paid_tokens_in": self._tokens_in,
            "paid_tokens_out": self._tokens_out,
            "abandoned": self._abandoned,
            "undelivered": self._undelivered,
            "batches": len(self.batches),
            "most_in_flight": self._most_in_flight,
        }

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        handlers: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            handlers.add(task)
            try:
                await self._talk(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
                pass  # the peer went away or the server stops: the connection is all there is to clean up
            finally:
                handlers.discard(task)
                writer.transport.abort()

        try:
            server = await asyncio.start_server(connected, "127.0.0.1", self._port, backlog=4096, ssl=self._tls)
        except OSError as failure:
            self._failure = failure
            self._ready.set()
            return
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        written: Bill | None = None
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            except asyncio.IncompleteReadError as torn:
                if torn.partial:
                    raise
                return
            except ConnectionResetError:
                if written:
                    self._undelivered += 1
                    self._count(written, -1)
                raise
            method, path, _ = [*head[0].split(" "), "", ""][:3]
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            length = int(headers.get("content-length", "0") or 0)
            if length > MAX_BODY:
                return
            raw = await _read_chunked(reader) if headers.get("transfer-encoding") == "chunked" else await reader.readexactly(length)
            reply = await self._answer(method, path, headers, raw)
            if reader.at_eof() or writer.transport.is_closing():
                self._abandoned += reply.bill is not None
                return
            body = json.dumps(reply.body, ensure_ascii=False).encode("utf-8", "surrogatepass") if reply.raw is None else reply.raw
            lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Error')}", "Content-Type: application/json"]
            lines += [f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in reply.headers.items())]
            if reply.bill:
                self._count(reply.bill, 1)
            written = reply.bill
            writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
            await writer.drain()

    def _count(self, bill: Bill, times: int) -> None:
        self._paid[bill.request] += times
        self._tokens_in += times * bill.tokens_in
        self._tokens_out += times * bill.tokens_out

    async def _answer(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> Reply:
        if (method, path) == ("GET", "/stub/stats"):
            return Reply(200, self.stats())
        if (method, path) == ("GET", "/v1/models"):
            return Reply(200, {"object": "list", "data": [{"id": "stub", "object": "model", "created": 0, "owned_by": "datagen"}]})
        gemini = stub_gemini.GENERATE.match(path)
        wanted, sent = self._api_key, headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-goog-api-key", "")
        if wanted and sent != wanted:
            self._by_status[401] += 1
            return self._as(gemini, error(401, f"Incorrect API key provided: {sent}"))
        if path.partition("?")[0] in ("/v1/files", "/v1/batches") or path.startswith(("/v1/files/", "/v1/batches/")):
            return answer_openai(self.batches, method, path.partition("?")[0], headers, raw)
        if stub_gemini.BATCH.match(path) and method == "GET":
            return answer_gemini(self.batches, path)
        if method != "POST" or (path != "/v1/chat/completions" and not gemini):
            return error(404, f"no such endpoint: {method} {path}")
        try:
            parsed = cast("JsonObject", json.loads(raw))
            if gemini and gemini.group(2) == "batchGenerateContent":
                return create_gemini(self.batches, parsed, gemini.group(1))
            body = stub_gemini.to_chat(parsed, gemini.group(1)) if gemini else parsed
            messages: list[dict[str, Any]] = [dict(m) for m in body["messages"]]
        except (ValueError, KeyError, TypeError):
            self._by_status[400] += 1
            return self._as(gemini, error(400, "the body is not a chat request"))
        self.prompts.append(body)
        self.arrived_s.append(time.monotonic())
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            reply = await self._complete(body, messages, headers.get("idempotency-key", ""))
        finally:
            self._in_flight -= 1
        self._by_status[reply.status] += 1
        return self._as(gemini, reply)

    def _as(self, gemini: object, reply: Reply) -> Reply:
        """Put a reply in the form of the protocol it was asked in."""
        if not gemini:
            return reply
        body = stub_gemini.from_chat(reply.body) if reply.status == 200 else stub_gemini.error_body(reply.status, reply.body, reply.headers)
        return replace(reply, body=body, headers={})

    async def _complete(self, body: JsonObject, messages: list[dict[str, Any]], once: str) -> Reply:
        request = _hash(body)
        n_try = self._arrivals[request]
        self._arrivals[request] += 1
        scripted = self._script.pop(0) if self._script else None
        tokens_in = _tokens_in(messages) if self._limits.tpm else 0
        over = self._limits.admit(tokens_in)
        if over:
            return error(429, f"Rate limit reached for {over} per min", {**self._limits.headers(), "Retry-After": "1"})
        await asyncio.sleep(self._latency_s)
        status = int(scripted.get("status", 200)) if scripted else 200
        if scripted is not None and (status != 200 or "content" not in scripted):
            return Reply(status, {"error": scripted.get("error", {"message": "scripted"})}, scripted.get("headers", {}))
        if scripted is None:
            refused = await self._fault(body, request, n_try)
            if refused:
                return refused
            if self._made and once in self._made:
                return self._made[once]
            completion = write_completion(messages, self._faults, request, 0)
        else:
            completion = Completion(str(scripted["content"]), str(scripted.get("finish_reason", "stop")))
        reply = self._paid_reply(body, messages, completion, request)
        if self._limits.tpm and reply.bill:
            self._limits.charge(reply.bill.tokens_out)
        if self._made is not None and once and reply.bill:
            self._count(reply.bill, 1)
            reply = self._made[once] = replace(reply, bill=None)
        return replace(reply, headers={**self._limits.headers(), **(scripted or {}).get("headers", {})})

    def _complete_now(self, body: JsonObject) -> tuple[int, JsonObject]:
        """Complete one line of a batch: content faults and the bill, no faults of an exchange."""
        request = _hash(body)
        self._arrivals[request] += 1
        self.prompts.append(body)
        completion = write_completion(body["messages"], self._faults, request, 0)
        reply = self._paid_reply(body, body["messages"], completion, request)
        assert reply.bill is not None
        self._count(reply.bill, 1)
        return 200, reply.body

    def _paid_reply(self, body: JsonObject, messages: list[dict[str, Any]], completion: Completion, request: str) -> Reply:
        answer = _chat_completion(body, messages, completion, request)
        usage = answer["usage"]
        self.planted.extend(completion.planted)
        return Reply(200, answer, bill=Bill(request, usage["prompt_tokens"], usage["completion_tokens"]))

    async def _fault(self, body: JsonObject, request: str, n_try: int) -> Reply | None:
        if self._first_s is None:
            self._first_s = time.monotonic()
        fault = "429" if self._faults.storms(time.monotonic() - self._first_s) else self._faults.exchange(request, n_try)
        if fault == "hang":
            await asyncio.sleep(HANG_S)
        wanted = cast("JsonObject", body.get("response_format") or {}).get("type")
        if wanted == "json_schema" and self._faults.rates.get("refuse_json_schema"):
            return error(400, "response_format json_schema is not supported by this server")
        if fault == "quota":
            return Reply(429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})
        if fault == "429":
            wait_s = self._faults.retry_after_s
            return error(429, "Rate limit reached", {"Retry-After": f"{wait_s:g}"} if wait_s else {})
        return error(int(fault), "the server is overloaded") if fault else None


def read_script(rows: Sequence[JsonObject]) -> list[JsonObject]:
    """Check the rows of a script file.

    Raises:
        UsageError: a row with an unknown key.
    """
    for number, row in enumerate(rows, 1):
        unknown = set(row) - {"status", "content", "finish_reason", "error", "headers"}
        if unknown:
            raise UsageError(
                f"script row {number}: unknown key '{min(unknown)}'", hint="known: status, content, finish_reason, error, headers"
            )
    return list(rows)


def _hash(body: JsonObject) -> str:
    return fingerprint({k: v for k, v in body.items() if k != "response_format"})


def _tokens_in(messages: list[dict[str, Any]]) -> int:
    return sum(estimate_tokens(str(m.get("content", ""))) for m in messages)


async def _read_chunked(reader: asyncio.StreamReader) -> bytes:
    """Read a chunked body, as SDKs send uploads."""
    parts: list[bytes] = []
    while size := int((await reader.readline()).split(b";")[0] or b"0", 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


def _chat_completion(body: JsonObject, messages: list[dict[str, Any]], completion: Completion, request: str) -> JsonObject:
    tokens_in = _tokens_in(messages)
    tokens_out = estimate_tokens(completion.text)
    return {
        "id": f"chatcmpl-{request[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", "stub"),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": completion.text, "refusal": None},
                "logprobs": None,
                "finish_reason": completion.finish_reason,
            }
        ],
        "usage": {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out},
    }
