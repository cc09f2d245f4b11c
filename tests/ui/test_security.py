"""The layer around the page: who may talk to it, with which host, origin, token and body."""

import asyncio
from typing import Any

import pytest

from datagen.ui.security import COOKIE, Guard, Message, Receive, Scope, Send
from datagen.ui.visitor import Visitor, cookies_of

TOKEN = "right-token"


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the page"})


def ask(
    *,
    token: str | None = None,
    path: str = "/review",
    query: str = "",
    headers: dict[str, str] | None = None,
    kind: str = "http",
    chunks: tuple[bytes, ...] = (b"",),
    largest: int = 100,
) -> tuple[Any, dict[str, str]]:
    """Return the status (or, for a WebSocket, the type of its first answer) and the headers."""
    sent: list[Message] = []
    waiting = [{"type": "http.request", "body": c, "more_body": i < len(chunks) - 1} for i, c in enumerate(chunks)]
    given = {"host": "127.0.0.1:8765", **(headers or {})}
    scope = {
        "type": kind,
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in given.items()],
    }

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Guard(_page, token=token, largest_body=largest)(scope, receive, send))
    first = sent[0]
    if kind == "websocket":
        return first["type"], {}
    return first["status"], {bytes(k).decode(): bytes(v).decode() for k, v in first["headers"]}


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "[::1]:8765", "LOCALHOST:80"])
def test_loopback_names_are_served(host: str) -> None:
    status, headers = ask(headers={"host": host})
    assert status == 200
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "", "[::1", "[evil"])
def test_other_names_are_refused_on_loopback(host: str) -> None:
    assert ask(headers={"host": host})[0] == 421
    assert ask(headers={"host": host}, kind="websocket")[0] == "websocket.close"


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:9999", "null", "http://127.0.0.1:8765.evil.example", "http://[::1"])
def test_other_origins_are_refused(origin: str) -> None:
    assert ask(headers={"origin": origin})[0] == 403
    assert ask(headers={"origin": origin}, kind="websocket")[0] == "websocket.close"


def test_the_page_s_own_origin_is_served() -> None:
    own = {"origin": "http://127.0.0.1:8765"}
    assert ask(headers=own)[0] == 200
    assert ask(headers=own, kind="websocket")[0] == "websocket.accept"


def test_a_token_is_asked_for_and_moves_from_the_url_into_a_cookie() -> None:
    other = {"host": "10.0.0.5:8765"}
    assert ask(token=TOKEN, headers=other)[0] == 401
    assert ask(token=TOKEN, headers=other, query="token=wrong")[0] == 401
    assert ask(token=TOKEN, headers=other, kind="websocket", query=f"token={TOKEN}")[0] == "websocket.close"
    status, headers = ask(token=TOKEN, headers=other, query=f"n=2&token={TOKEN}")
    assert (status, headers["location"]) == (303, "/review?n=2")
    assert headers["set-cookie"] == f"{COOKIE}={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
    assert ask(token=TOKEN, headers={**other, "cookie": f"a=b; {COOKIE}={TOKEN}"})[0] == 200
    assert ask(token=TOKEN, headers={**other, "cookie": f"{COOKIE}={TOKEN}x"})[0] == 401
    assert ask(token=TOKEN, headers={**other, "cookie": f"{COOKIE}={TOKEN}"}, kind="websocket")[0] == "websocket.accept"


def test_the_redirect_stays_on_this_server() -> None:
    _, headers = ask(token=TOKEN, path="//evil.example", query=f"token={TOKEN}")
    assert headers["location"] == "/evil.example"


def test_large_bodies_are_refused_whether_announced_or_not() -> None:
    assert ask(headers={"content-length": "101"})[0] == 413
    assert ask(headers={"content-length": "many"})[0] == 413
    assert ask(headers={"content-length": "²"})[0] == 413
    assert ask(chunks=(b"x" * 60, b"x" * 60))[0] == 413
    assert ask(chunks=(b"x" * 60, b"x" * 40))[0] == 200


def test_settings_links_set_only_known_cookies() -> None:
    assert cookies_of({"lang": "fr", "theme": "pink", "other": "1"}) == {}
    assert cookies_of({"lang": "zh", "name": " 李敏;\r\n "}) == {"datagen_lang": "zh", "datagen_name": "%E6%9D%8E%E6%95%8F%3B"}
    visitor = Visitor.of({"datagen_name": "%E6%9D%8E"}, "zh-CN,zh;q=0.9", "/", {})
    assert (visitor.name, visitor.language, visitor.theme, visitor.w("accept")) == ("李", "zh", "auto", "通过")
