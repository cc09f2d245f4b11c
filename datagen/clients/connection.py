"""HTTP for the exchanges that come by the hundred a second: one POST, its status, headers and text.

Measured (``make bench-generate``): the OpenAI SDK costs about 2 ms of CPU a request, so that one core ends at 500 a second. ``wire`` costs
a thirtieth of it, and what it reads survives a kill (``landing``); it serves all but servers behind a proxy, which aiohttp knows how to
pass, for a tenth. Redirects are not followed: they would carry the key elsewhere.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from datagen.clients.landing import Slot
from datagen.clients.types import ExchangeFailed
from datagen.clients.wire import HINT_DOWN, DirectConnection, HttpAnswer

T = TypeVar("T")


def connect(url: str, headers: Mapping[str, str], *, timeout_s: float, loopback: bool) -> "Connection | DirectConnection":
    """Return the connection that serves a URL: one of our own, or aiohttp's where a proxy of the environment stands before it."""
    parts = urlsplit(url)
    direct = loopback or parts.scheme not in getproxies() or bool(proxy_bypass(parts.hostname or ""))
    if direct:
        return DirectConnection(headers, timeout_s=timeout_s)
    return Connection(headers, timeout_s=timeout_s, loopback=loopback)


class Connection:
    """Connections to one server. They belong to the running event loop and close with it.

    Args:
        headers: sent with every request; the API key among them, so they show nowhere.
        timeout_s: seconds an exchange may take in all.
        loopback: the server is this machine; proxies of the environment are left out.
    """

    def __init__(self, headers: Mapping[str, str], *, timeout_s: float, loopback: bool) -> None:
        self._headers = dict(headers)
        self._timeout_s = timeout_s
        self._loopback = loopback
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lifeline: AsyncGenerator[Any, None] | None = None
        self._session: Any = None

    def __repr__(self) -> str:
        return f"Connection(timeout_s={self._timeout_s:g})"

    async def post(
        self,
        url: str,
        body: bytes,
        read: Callable[[HttpAnswer], T],
        *,
        name: str,
        headers: Mapping[str, str] | None = None,
        slot: Slot | None = None,
    ) -> T:
        """Send JSON and return what ``read`` makes of the answer, whatever its status. ``slot`` goes unused.

        Args:
            url: the endpoint.
            body: JSON, UTF-8.
            read: called as soon as the answer is there.
            name: server and model, for error messages.
            headers: of this request alone.

        Raises:
            ExchangeFailed: no answer within the time, or no connection; both ``unavailable``.
            DatagenError: what ``read`` raises.
        """
        import aiohttp

        session = await self.session()
        try:
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                raw: bytes = await answer.read()
                return read(HttpAnswer(answer.status, answer.headers, raw.decode("utf-8", "replace")))
        except TimeoutError as error:
            # aiohttp's ConnectionTimeoutError is both: nothing was sent, nothing is billed.
            sent = not isinstance(error, aiohttp.ClientConnectionError) or isinstance(error, aiohttp.SocketTimeoutError)
            message = f"{name} gave no answer within {self._timeout_s:g} s"
            raise ExchangeFailed(message, hint=HINT_DOWN, kind="unavailable", maybe_billed=sent) from error
        except (aiohttp.ClientError, OSError) as error:
            cause = type(error.__cause__ or error).__name__
            sent = not isinstance(error, aiohttp.ClientConnectorError)
            raise ExchangeFailed(f"{name} does not answer ({cause})", hint=HINT_DOWN, kind="unavailable", maybe_billed=sent) from error

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        lifeline, self._lifeline, self._loop, self._session = self._lifeline, None, None, None
        if lifeline is not None:
            await lifeline.aclose()

    async def session(self) -> Any:
        """Return the running loop's ``aiohttp.ClientSession``."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._lifeline = self._keep_open()
            self._loop = loop
            self._session = await anext(self._lifeline)
        return self._session

    async def _keep_open(self) -> AsyncGenerator[Any, None]:
        """Yield a session; an event loop that ends finishes its generators, which closes the connections."""
        import aiohttp

        # How many requests run at once is the limiter's matter, so the pool has no limit of its own.
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            headers={"Content-Type": "application/json", **self._headers},
            trust_env=not self._loopback,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        try:
            yield session
        finally:
            await session.close()
