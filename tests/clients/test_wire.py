"""Plain HTTP over one connection: what servers may send, read whole; what breaks, said."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from datagen.clients.connection import Connection, connect
from datagen.clients.types import ExchangeFailed
from datagen.clients.wire import DirectConnection, HttpAnswer
from datagen.testing.stub_server import StubServer
from tests.clients.loopback_tls import CERTIFICATE, loopback_tls

TEXT = '{"answer": "早餐供应时间为 7:00 至 10:30。"}'
BODY = TEXT.encode()
SIZED = b"HTTP/1.1 200 OK\r\nX-Limit: 5\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n" + BODY[:7] + b"\r\n%x\r\n" % len(BODY[7:]) + BODY[7:] + b"\r\n0\r\n\r\n"
)
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\n" + BODY
EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncGenerator[str]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/chat?a=b"
    finally:
        server.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


def post(raw: bytes, *, times: int = 1, piece: int = 7, timeout_s: float = 5) -> tuple[list[HttpAnswer], list[bytes], int]:
    """Send ``times`` requests to a server that answers ``raw`` in small pieces; return answers, requests, and connections it saw."""
    seen: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(times):
            seen.append(await read_request(reader))
            for at in range(0, len(raw), piece):
                writer.write(raw[at : at + piece])
                await writer.drain()
                await asyncio.sleep(0)
            if raw in (UNTIL_CLOSED, b""):
                return

    async def run() -> list[HttpAnswer]:
        async with serving(serve) as url:
            connection = DirectConnection({"Authorization": "Bearer k"}, timeout_s=timeout_s)
            try:
                return [
                    await connection.post(url, b'{"n": 1}', lambda answer: answer, name="the stub", headers={"Idempotency-Key": "7"})
                    for _ in range(times)
                ]
            finally:
                await connection.aclose()

    return asyncio.run(run()), seen, connections


@pytest.mark.parametrize("raw", [SIZED, CHUNKED, UNTIL_CLOSED, EARLY + SIZED], ids=["sized", "chunked", "until-closed", "early-hints"])
def test_a_body_is_read_whole(raw: bytes) -> None:
    answers, seen, _ = post(raw)
    assert [(a.status, a.text) for a in answers] == [(200, TEXT)]
    assert seen[0].startswith(b"POST /v1/chat?a=b HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nAuthorization: Bearer k\r\nIdempotency-Key: 7\r\nContent-Length: 8\r\n\r\n" in seen[0]


def test_headers_are_found_in_lower_case() -> None:
    assert post(SIZED)[0][0].headers.get("x-limit") == "5"


def test_a_connection_serves_one_request_after_the_other() -> None:
    answers, seen, connections = post(SIZED, times=3)
    assert (len(answers), len(seen), connections) == (3, 3, 1)


@pytest.mark.parametrize("raw", [b"", SIZED[:-5], b"220 smtp ready\r\n"], ids=["nothing", "torn", "another-protocol"])
def test_what_is_no_answer_may_have_been_billed(raw: bytes) -> None:
    with pytest.raises(ExchangeFailed, match=r"the stub (does not answer|gave no answer)") as failure:
        post(raw, timeout_s=0.3)
    assert (failure.value.kind, failure.value.maybe_billed) == ("unavailable", True)


def test_a_server_that_is_not_there_bills_nothing() -> None:
    async def run() -> None:
        async with serving(lambda reader, writer: asyncio.sleep(0)) as url:
            pass
        await DirectConnection({}, timeout_s=5).post(url, b"{}", lambda answer: answer, name="the stub")

    with pytest.raises(ExchangeFailed, match="ConnectionRefusedError") as failure:
        asyncio.run(run())
    assert not failure.value.maybe_billed


def test_what_a_proxy_stands_before_goes_over_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    kinds = [
        type(connect(url, {}, timeout_s=1, loopback=loopback))
        for url, loopback in (
            ("https://api.example/v1", False),
            ("http://api.example/v1", False),
            ("https://inside.example/v1", False),
            ("http://127.0.0.1:8000/v1", True),
        )
    ]
    assert kinds == [Connection, Connection, DirectConnection, DirectConnection]


def test_https_is_spoken_with_those_who_have_a_trusted_certificate_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(url: str) -> HttpAnswer:
        connection = DirectConnection({}, timeout_s=5)
        try:
            return await connection.post(f"{url}/chat/completions", b"{}", lambda answer: answer, name="the stub")
        finally:
            await connection.aclose()

    with StubServer(tls=loopback_tls()) as stub:
        with pytest.raises(ExchangeFailed, match="SSLCertVerificationError") as failure:
            asyncio.run(ask(stub.base_url))
        assert not failure.value.maybe_billed
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert asyncio.run(ask(stub.base_url)).status == 400
        with pytest.raises(ExchangeFailed):
            asyncio.run(ask(stub.base_url.replace("https", "http")))


def test_what_reading_raises_reaches_the_one_who_waits() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(SIZED)

    def read(answer: HttpAnswer) -> str:
        raise KeyError(answer.status)

    async def run() -> None:
        async with serving(serve) as url:
            connection = DirectConnection({}, timeout_s=5)
            try:
                await connection.post(url, b"{}", read, name="the stub")
            finally:
                await connection.aclose()

    with pytest.raises(KeyError, match="200"):
        asyncio.run(run())


def test_each_exchange_has_its_own_deadline() -> None:
    waits_s = [0.05, 0.4, 0.4, 0.05]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = (await read_request(reader)).rpartition(b"\r\n\r\n")[2]
        await asyncio.sleep(waits_s[int(body)])
        writer.write(SIZED)
        await writer.drain()

    async def run() -> list[object]:
        async with serving(serve) as url:
            connection = DirectConnection({}, timeout_s=0.2)
            began_s = asyncio.get_running_loop().time()

            async def ask(number: int) -> object:
                await asyncio.sleep(number * 0.1)
                try:
                    return (await connection.post(url, b"%d" % number, lambda answer: answer, name="the stub")).status
                except ExchangeFailed as failure:
                    return failure.kind, round(asyncio.get_running_loop().time() - began_s - number * 0.1, 1)

            try:
                return await asyncio.gather(*map(ask, range(len(waits_s))))
            finally:
                await connection.aclose()

    assert asyncio.run(run()) == [200, ("unavailable", 0.2), ("unavailable", 0.2), 200]
