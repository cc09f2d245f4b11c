"""The stub server: protocol, faults, counts."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from datagen.errors import DatagenError, UsageError
from datagen.testing.stub_content import write_items
from datagen.testing.stub_faults import NAMES, Faults
from datagen.testing.stub_server import StubServer, read_script

PASSAGE = """# 早餐

早餐供应时间为 7:00 至 10:30，地点在二楼。
- 未含早餐的客人每位收费 68 元。
| 房型 | 价格 |

餐厅提供中式和西式两种自助餐。
"""


def call(url: str, body: Any = None) -> tuple[int, Any, dict[str, str]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error), dict(error.headers)


def chat(stub: StubServer, text: str = "hello") -> tuple[int, Any, dict[str, str]]:
    return call(f"{stub.base_url}/chat/completions", {"model": "m", "messages": [{"role": "user", "content": text}]})


def test_speaks_the_protocol() -> None:
    with StubServer() as stub:
        assert stub.base_url.startswith("http://127.0.0.1:")
        status, body, _ = chat(stub)
        assert (status, body["choices"][0]["message"]["content"], body["choices"][0]["finish_reason"]) == (200, "echo: hello", "stop")
        assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
        assert chat(stub)[1] == body
        assert call(f"{stub.base_url}/models")[1]["data"][0]["id"] == "stub"
        assert call(f"{stub.base_url}/embeddings")[0] == 404
        assert call(f"{stub.base_url}/chat/completions", {"nothing": 1})[0] == 400
        stats = call(f"http://127.0.0.1:{stub.port}/stub/stats")[1]
    assert (stats["requests"], stats["paid"], stats["paid_twice"], stats["by_status"]) == (2, 2, 1, {"200": 2, "400": 1})
    assert list(stats["paid_by_request"].values()) == [2]


def test_faults_depend_on_seed_request_and_try_only() -> None:
    def statuses(seed: int) -> list[int]:
        with StubServer(faults=Faults({"429": 0.5}, seed=seed, retry_after_s=1.5)) as stub:
            answers = [chat(stub, f"问题 {i % 4}") for i in range(16)]
            assert all(headers["Retry-After"] == "1.5" for status, _, headers in answers if status == 429)
            return [status for status, _, _ in answers]

    assert statuses(1) == statuses(1) != statuses(2)
    assert set(statuses(1)) == {200, 429}


def test_script_comes_first() -> None:
    script = read_script([{"status": 503}, {"content": "甲", "finish_reason": "length"}, {"status": 429, "headers": {"Retry-After": "3"}}])
    with StubServer(script=script) as stub:
        answers = [chat(stub) for _ in range(4)]
    assert [status for status, _, _ in answers] == [503, 200, 429, 200]
    assert answers[1][1]["choices"][0]["finish_reason"] == "length"
    assert answers[2][2]["Retry-After"] == "3"
    with pytest.raises(UsageError, match="script row 1: unknown key 'code'"):
        read_script([{"code": 1}])


def test_items_are_sentences_of_the_passage_numbers_first() -> None:
    items = write_items(PASSAGE, 3, turn=0, style=0)
    assert [i["evidence"] for i in items] == [
        "早餐供应时间为 7:00 至 10:30，地点在二楼。",
        "未含早餐的客人每位收费 68 元。",
        "餐厅提供中式和西式两种自助餐。",
    ]
    assert len({i["question"] for i in items}) == 3
    assert write_items(PASSAGE, 2, turn=1, style=0)[0]["evidence"] == "餐厅提供中式和西式两种自助餐。"
    assert write_items("", 3, turn=0, style=0) == []


def test_faults_are_read_from_text() -> None:
    assert Faults.parse("429=0.25, think").rates == {"429": 0.25, "think": 1.0}
    for text, words in (("tink=1", "did you mean 'think'"), ("429=2", "from 0 to 1"), ("429=x", "NAME=RATE")):
        with pytest.raises(UsageError) as caught:
            Faults.parse(text)
        assert words in str(caught.value)
    assert len(set(NAMES)) == len(NAMES)


def test_a_taken_port_is_a_clear_error() -> None:
    with StubServer() as stub, pytest.raises(DatagenError, match=f"cannot listen on 127.0.0.1:{stub.port}"):
        StubServer(port=stub.port).start()
