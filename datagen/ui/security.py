"""What may talk to the page: an ASGI layer around everything, WebSockets included.

On loopback the ``Host`` header must name loopback, so a foreign site whose name is made to point at 127.0.0.1 (DNS rebinding) gets
nothing. On any other address a token is needed: once in the URL, then as an HttpOnly cookie. An ``Origin`` header must match ``Host``, so
no other site can open the page's WebSocket or post to it. Bodies are limited; pages may load nothing from elsewhere.
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
COOKIE = "datagen_token"
LARGEST_BODY = 64 << 20
HEADERS = (
    # Vue compiles templates in the page, which needs unsafe-eval; nothing may be loaded from or sent to another host.
    (b"content-security-policy", b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
     b"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; frame-ancestors 'none'; "
     b"form-action 'self'; base-uri 'self'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)  # fmt: skip


class TooLarge(Exception):
    """A body grew beyond the limit while it was received."""


class Guard:
    """ASGI middleware; ``token`` None means loopback only."""

    def __init__(self, app: App, token: str | None = None, largest_body: int = LARGEST_BODY) -> None:
        self.app = app
        self.token = token
        self.largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {bytes(k).decode("latin-1").lower(): bytes(v).decode("latin-1") for k, v in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal:
            await _answer(scope, send, *refusal)
            return
        if self.token and (clean := self._token_in_url(scope)) is not None:
            cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(scope, send, 303, "", [(b"location", clean.encode()), (b"set-cookie", cookie.encode())])
            return
        await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        received = 0
        begun = False

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if received > self.largest_body:
                raise TooLarge
            return message

        async def protected(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
            await send(message)

        try:
            await self.app(scope, limited, protected)
        except TooLarge:
            if not begun:
                await _answer(scope, send, 413, "the body is too large")

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self.token is None and _name(host) not in LOOPBACK:
            return 421, "this page is served on loopback only; use --host to serve it elsewhere, with a token"
        origin = headers.get("origin")
        if origin is not None and _parts(origin).netloc.lower() != host.lower():
            return 403, "requests from another site are refused"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.largest_body:
            return 413, f"at most {self.largest_body >> 20} MB at once"
        if self.token is not None and self._token_in_url(scope) is None and not self._same(_cookie(headers.get("cookie", ""))):
            return 401, "open the address that datagen ui printed: it carries the token"
        return None

    def _token_in_url(self, scope: Scope) -> str | None:
        """Return the path without its token if the URL carries the right one."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        pairs = parse_qsl(bytes(scope.get("query_string", b"")).decode("latin-1"))
        if not any(key == "token" and self._same(value) for key, value in pairs):
            return None
        rest = urlencode([(k, v) for k, v in pairs if k != "token"])
        # Only the path: "//host" would lead elsewhere.
        path = "/" + str(scope["path"]).lstrip("/")
        return f"{path}?{rest}" if rest else path

    def _same(self, value: str) -> bool:
        return self.token is not None and hmac.compare_digest(value.encode(), self.token.encode())


def _cookie(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _name(host: str) -> str:
    return _parts(f"//{host}").hostname or ""


def _parts(url: str) -> SplitResult:
    """Split a URL; one that is none, such as ``//[::1``, has no parts."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


async def _answer(scope: Scope, send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    head = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS, *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": text.encode()})
