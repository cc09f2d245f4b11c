"""Answers land in a file before anything looks at them: a process that dies with one in a slot loses nothing."""

import asyncio
import gc
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from datagen.clients import ChatMessage, ChatRequest, ChatResponse, Parameters, open_client
from datagen.clients.landing import SLOT, Landing, recover
from datagen.clients.openai_compatible import parse_landed
from datagen.clients.store import ResponseStore
from datagen.clients.wire import read_whole
from datagen.errors import DatagenError
from datagen.testing.stub_server import StubServer
from tests.clients.loopback_tls import CERTIFICATE, loopback_tls

QUESTION = ChatRequest("openai", "http://127.0.0.1:1/v1", "stub", (ChatMessage("user", "早餐几点开始？"),), Parameters(max_tokens=50))
COMPLETION = {
    "model": "stub",
    "choices": [{"message": {"role": "assistant", "content": "七点开始。"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 5},
}
BODY = json.dumps(COMPLETION, ensure_ascii=False).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


def test_a_slot_keeps_request_and_answer_until_it_is_given_back(tmp_path: Path) -> None:
    store = tmp_path / "responses.sqlite"
    landing = Landing(store)
    slot = landing.take(QUESTION.canonical())
    assert slot is not None
    slot.answer[:5] = b"HTTP/"
    slot.used = 5
    (path,) = tmp_path.glob("*.landing")
    copy = tmp_path / "responses.1-00000000.landing"
    copy.write_bytes(path.read_bytes())
    assert list(recover(store)) == [(QUESTION.canonical(), b"HTTP/")]
    assert (path.exists(), copy.exists()) == (True, False)  # this process lives, that of the copy does not
    landing.give_back(slot)
    assert not any(path.read_bytes())
    assert landing.take(b"x" * (SLOT // 2 + 1)) is None
    again = landing.take(b"short")
    assert again is slot
    assert path.read_bytes().rstrip(b"\0").endswith(b"short")
    landing.close()
    assert path.exists()  # the request in it was not given back
    assert list(recover(store)) == [(b"short", b"")]
    assert not list(tmp_path.iterdir())


def test_who_forgets_to_close_leaves_no_empty_file(tmp_path: Path) -> None:
    landing = Landing(tmp_path / "responses.sqlite")
    slot = landing.take(b"{}")
    assert slot is not None
    landing.give_back(slot)
    assert len(list(tmp_path.iterdir())) == 1
    del landing
    gc.collect()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", range(0, len(ANSWER) + 1, 7))
def test_only_a_whole_answer_counts(length: int) -> None:
    assert parse_landed(ANSWER[:length], QUESTION) is None
    assert parse_landed(ANSWER, QUESTION) == ChatResponse("七点开始。", "stop", 9, 5, "stub")


@pytest.mark.parametrize("raw", [b"", b"\x00\x01 not http", ANSWER.replace(b"200 OK", b"429 No"), ANSWER.replace(b"choices", b"chances")])
def test_what_is_no_completion_is_asked_again(raw: bytes) -> None:
    assert parse_landed(raw, QUESTION) is None


def test_an_answer_in_chunks_is_whole_with_its_last_chunk() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw = head + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
    found = read_whole(raw)
    assert found is not None
    assert found.text == BODY.decode()
    assert read_whole(raw[:-5]) is None


DIES = """
import os, sys
from pathlib import Path
from datagen.clients import ChatRequest, open_client
from datagen.clients import wire
import asyncio, json

request = ChatRequest.from_json(json.loads(sys.argv[2]))
# The worst moment: the bytes have been read, and nothing has looked at them yet.
wire._Wire._finish = lambda self, answer: os.kill(os.getpid(), 9)
client = open_client(f"{request.provider}:stub@{request.base_url}", Path(sys.argv[1]), concurrency=4)
asyncio.run(client.complete(request))
"""


@pytest.mark.parametrize("provider", ["openai", "gemini"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_process_that_dies_with_an_unread_answer_has_stored_it(
    tmp_path: Path, provider: str, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "responses.sqlite"
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with StubServer(tls=loopback_tls() if tls else None) as stub:
        url = stub.base_url if provider == "openai" else stub.gemini_url
        assert url.startswith("https:") == tls
        request = ChatRequest(provider, url, "stub", QUESTION.messages, QUESTION.parameters)
        died = subprocess.run([sys.executable, "-c", DIES, path, json.dumps(request.to_json())], check=False, env=dict(os.environ))
        assert died.returncode == -9
        assert len(list(tmp_path.glob("*.landing"))) == 1

        async def ask() -> ChatResponse:
            client = open_client(f"{provider}:stub@{url}", path, concurrency=4)
            try:
                return await client.complete(request)
            finally:
                await client.aclose()

        answer = asyncio.run(ask())
        assert answer.cached
        assert (stub.stats()["paid"], stub.stats()["requests"]) == (1, 1)
    assert not list(tmp_path.glob("*.landing"))


@asynccontextmanager
async def answering(raw: bytes) -> AsyncGenerator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


def test_an_answer_larger_than_its_slot_is_read_whole(tmp_path: Path) -> None:
    long = "早餐七点开始。" * SLOT
    body = json.dumps({**COMPLETION, "choices": [{"message": {"content": long}}]}).encode()

    async def run() -> ChatResponse:
        async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body) as url:
            client = open_client(f"openai:stub@{url}", tmp_path / "r.sqlite", concurrency=1)
            try:
                return await client.complete(ChatRequest("openai", url, "stub", QUESTION.messages))
            finally:
                await client.aclose()

    assert asyncio.run(run()).text == long


def test_what_cannot_be_stored_is_no_answer_yet_and_is_not_paid_again(tmp_path: Path) -> None:
    def full(self: ResponseStore, entries: object) -> list[ChatResponse]:
        raise DatagenError("response store: database or disk is full")

    async def ask(url: str) -> ChatResponse:
        client = open_client(f"openai:stub@{url}", tmp_path / "r.sqlite", concurrency=1)
        try:
            return await client.complete(ChatRequest("openai", url, "stub", QUESTION.messages))
        finally:
            await client.aclose()

    with StubServer() as stub:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ResponseStore, "put_entries", full)
            with pytest.raises(DatagenError, match="disk is full"):
                asyncio.run(ask(stub.base_url))
        assert len(list(tmp_path.glob("*.landing"))) == 1
        assert asyncio.run(ask(stub.base_url)).cached
        assert stub.stats()["paid"] == 1
    assert not list(tmp_path.glob("*.landing"))
