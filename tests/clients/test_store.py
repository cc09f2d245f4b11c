"""The response store: durable, shared, first answer wins, readable errors."""

import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from datagen.clients.store import ResponseStore
from datagen.clients.types import ChatMessage, ChatRequest, ChatResponse, Parameters
from datagen.errors import DataError, DatagenError


def request(text: str = "退房时间是几点？", *, system: str = "你是酒店客服。", sample_index: int = 0) -> ChatRequest:
    messages = (ChatMessage("system", system), ChatMessage("user", text))
    return ChatRequest("openai", "http://127.0.0.1:1/v1", "stub", messages, Parameters(temperature=0.7), sample_index=sample_index)


def response(text: str = "中午 12 点。") -> ChatResponse:
    return ChatResponse(text, "stop", 20, 8, "stub")


def test_what_was_put_is_got_by_a_later_process(tmp_path: Path) -> None:
    path = tmp_path / ".datagen" / "responses.sqlite"
    store = ResponseStore(path)
    assert store.get(request().key()) is None
    assert store.put(request(), response()).cached is False
    store.close()
    again = ResponseStore(path)
    assert again.get(request().key()) == ChatResponse("中午 12 点。", "stop", 20, 8, "stub", cached=True)
    stats = again.stats()
    assert (stats.responses, stats.tokens_in, stats.tokens_out) == (1, 20, 8)
    again.close()
    again.close()


def test_first_answer_to_a_request_wins(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path / "r.sqlite")
    store.put(request(), response("first"))
    assert store.put(request(), response("second")).text == "first"
    assert store.stats().responses == 1
    store.close()


@pytest.mark.parametrize(
    "other",
    [
        request("退房时间是几点"),
        request(system="你是航空公司客服。"),
        request(sample_index=1),
        ChatRequest("openai", "http://127.0.0.1:2/v1", "stub", request().messages, Parameters(temperature=0.7)),
        ChatRequest("openai", "http://127.0.0.1:1/v1", "stub2", request().messages, Parameters(temperature=0.7)),
        ChatRequest("openai", "http://127.0.0.1:1/v1", "stub", request().messages, Parameters(temperature=0.8)),
        ChatRequest("openai", "http://127.0.0.1:1/v1", "stub", request().messages, Parameters(temperature=0.7), {"type": "object"}),
    ],
    ids=["user", "system", "sample", "url", "model", "temperature", "schema"],
)
def test_key_covers_everything_that_can_change_the_answer(other: ChatRequest) -> None:
    assert other.key() != request().key()


def test_lone_surrogates_survive(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path / "r.sqlite")
    odd = request("\ud83d")
    store.put(odd, response("torn emoji \ud83d"))
    found = store.get(odd.key())
    assert found is not None
    assert found.text == "torn emoji \ud83d"
    store.close()


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    path = tmp_path / "responses.sqlite"
    path.write_text("这不是数据库，只是一个普通的文本文件。" * 50, encoding="utf-8")
    with pytest.raises(DataError, match=r"responses\.sqlite is not a usable response store"):
        ResponseStore(path)


def test_a_store_of_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(DataError, match="format 99"):
        ResponseStore(path)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = ResponseStore(tmp_path / "r.sqlite")
    store.close()
    with pytest.raises(DatagenError, match="is closed"):
        store.get("0")


def _write(path: str, who: int) -> None:
    store = ResponseStore(Path(path))
    for i in range(40):
        store.put(request(f"问题 {i}"), response(f"process {who}"))
    store.close()


def test_processes_share_a_store_from_its_first_moment(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_write, args=(str(path), who)) for who in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    store = ResponseStore(path)
    assert store.stats().responses == 40
    store.close()
