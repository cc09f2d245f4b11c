"""A fake OpenAI endpoint on loopback: ``with StubServer() as stub: open_client(f"openai:stub@{stub.base_url}", ...)``.

Serves ``POST /v1/chat/completions`` (not streaming), ``GET /v1/models`` and ``GET /stub/stats``; listens on 127.0.0.1 only,
in a thread with its own event loop. Answers are a function of the request (``stub_content``), faults of seed, request and try
(``stub_faults``). It counts what was paid, so that a test can prove that nothing is paid twice.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from datagen.errors import DatagenError, UsageError
from datagen.hashing import fingerprint
from datagen.jsonl import JsonObject
from datagen.testing.stub_content import Completion, write_completion
from datagen.testing.stub_faults import Faults
from datagen.text import estimate_tokens

MAX_BODY = 64 * 1024 * 1024
HANG_S = 3600.0
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests", 500: "Internal Server Error"}


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: JsonObject
    headers: dict[str, str] = field(default_factory=dict[str, str])


class StubServer:
    """The server; a context manager, or :meth:`start` and :meth:`stop`.

    Args:
        port: 0 takes a free one.
        latency_ms: fixed time an answer takes.
        faults: what goes wrong, and how often.
        script: answers to give first, in order of arrival, before normal service: objects with ``status`` (200), ``content``,
            ``finish_reason``, ``error`` (object of an error body), ``headers``.
        api_key: if set, requests must carry it.

    Attributes:
        prompts: bodies of all chat requests, in order of arrival.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        latency_ms: float = 0,
        faults: Faults | None = None,
        script: Sequence[JsonObject] = (),
        api_key: str = "",
    ) -> None:
        self.prompts: list[JsonObject] = []
        self._port = port
        self._latency_s = latency_ms / 1000
        self._faults = faults or Faults()
        self._script = list(script)
        self._api_key = api_key
        self._arrivals: Counter[str] = Counter()
        self._paid: Counter[str] = Counter()
        self._by_status: Counter[int] = Counter()
        self._in_flight = self._most_in_flight = 0
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
        """The URL a model spec ends with."""
        return f"http://127.0.0.1:{self._port}/v1"

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
        ``response_format`` -> times paid), ``paid_twice`` and ``most_in_flight``."""
        return {
            "requests": sum(self._arrivals.values()),
            "by_status": {str(status): n for status, n in sorted(self._by_status.items())},
            "paid": sum(self._paid.values()),
            "paid_by_request": dict(self._paid),
            "paid_twice": sum(n - 1 for n in self._paid.values()),
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
            server = await asyncio.start_server(connected, "127.0.0.1", self._port, backlog=4096)
        except OSError as error:
            self._failure = error
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
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    raise
                return
            method, path, _ = [*head[0].split(" "), "", ""][:3]
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            length = int(headers.get("content-length", "0") or 0)
            if length > MAX_BODY:
                return
            reply = await self._answer(method, path, headers, await reader.readexactly(length))
            body = json.dumps(reply.body, ensure_ascii=False).encode("utf-8", "surrogatepass")
            lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Error')}", "Content-Type: application/json"]
            lines += [f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in reply.headers.items())]
            writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
            await writer.drain()

    async def _answer(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> Reply:
        if (method, path) == ("GET", "/stub/stats"):
            return Reply(200, self.stats())
        if (method, path) == ("GET", "/v1/models"):
            return Reply(200, {"object": "list", "data": [{"id": "stub", "object": "model", "created": 0, "owned_by": "datagen"}]})
        if (method, path) != ("POST", "/v1/chat/completions"):
            return _error(404, f"no such endpoint: {method} {path}")
        if self._api_key and headers.get("authorization") != f"Bearer {self._api_key}":
            self._by_status[401] += 1
            return _error(401, f"Incorrect API key provided: {headers.get('authorization', '').removeprefix('Bearer ')}")
        try:
            body = cast("JsonObject", json.loads(raw))
            messages: list[dict[str, Any]] = [dict(m) for m in body["messages"]]
        except (ValueError, KeyError, TypeError):
            self._by_status[400] += 1
            return _error(400, "the body is not a chat request")
        self.prompts.append(body)
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            reply = await self._complete(body, messages)
        finally:
            self._in_flight -= 1
        self._by_status[reply.status] += 1
        return reply

    async def _complete(self, body: JsonObject, messages: list[dict[str, Any]]) -> Reply:
        request = fingerprint({k: v for k, v in body.items() if k != "response_format"})
        n_try = self._arrivals[request]
        self._arrivals[request] += 1
        scripted = self._script.pop(0) if self._script else None
        await asyncio.sleep(self._latency_s)
        status = int(scripted.get("status", 200)) if scripted else 200
        if scripted is not None and (status != 200 or "content" not in scripted):
            return Reply(status, {"error": scripted.get("error", {"message": "scripted"})}, scripted.get("headers", {}))
        if scripted is None:
            refused = await self._fault(body, request, n_try)
            if refused:
                return refused
            completion = write_completion(messages, self._faults, request, n_try)
        else:
            completion = Completion(str(scripted["content"]), str(scripted.get("finish_reason", "stop")))
        self._paid[request] += 1
        return Reply(200, _chat_completion(body, messages, completion, request))

    async def _fault(self, body: JsonObject, request: str, n_try: int) -> Reply | None:
        fault = self._faults.exchange(request, n_try)
        if fault == "hang":
            await asyncio.sleep(HANG_S)
        wanted = cast("JsonObject", body.get("response_format") or {}).get("type")
        if wanted == "json_schema" and self._faults.rates.get("refuse_json_schema"):
            return _error(400, "response_format json_schema is not supported by this server")
        if fault == "quota":
            return Reply(429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}})
        if fault == "429":
            wait_s = self._faults.retry_after_s
            return _error(429, "Rate limit reached", {"Retry-After": f"{wait_s:g}"} if wait_s else {})
        return _error(int(fault), "the server is overloaded") if fault else None


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


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, {"error": {"message": message, "type": "stub_error", "code": None}}, headers or {})


def _chat_completion(body: JsonObject, messages: list[dict[str, Any]], completion: Completion, request: str) -> JsonObject:
    tokens_in = sum(estimate_tokens(str(m.get("content", ""))) for m in messages)
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
