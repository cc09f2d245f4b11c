"""The wire under an SDK: a transport for httpx, so that what a vendor's SDK receives lands in the file as well (see ``landing``)."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple

import httpx

from datagen.clients.landing import Slot
from datagen.clients.wire import DirectConnection, HttpAnswer

_OWN_HEADERS = frozenset(["host", "content-length", "connection", "accept", "accept-encoding", "content-type"])
"""What the connection itself says; ``accept-encoding`` must not be said, since it unpacks nothing."""


class Delivery(NamedTuple):
    """What goes with the one request that a task has an SDK send.

    Attributes:
        name: server and model, for error messages.
        read: called in the very moment the answer is whole.
        slot: takes its bytes as they come.
    """

    name: str
    read: Callable[[HttpAnswer], object]
    slot: Slot | None


delivery: ContextVar[Delivery] = ContextVar("delivery")


class WireTransport(httpx.AsyncBaseTransport):
    """Sends what httpx is given over a connection of ours; each task sets :data:`delivery` before it asks the SDK.

    Raises:
        ExchangeFailed: as :meth:`DirectConnection.post`; httpx and SDKs pass it on.
    """

    def __init__(self, connection: DirectConnection) -> None:
        self._connection = connection

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one POST."""
        name, read, slot = delivery.get()
        headers = {key: value for key, value in request.headers.items() if key not in _OWN_HEADERS}

        def both(answer: HttpAnswer) -> HttpAnswer:
            read(answer)
            return answer

        answer = await self._connection.post(str(request.url), await request.aread(), both, name=name, headers=headers, slot=slot)
        told = {key: value for key, value in answer.headers.items() if key not in ("content-length", "transfer-encoding")}
        return httpx.Response(answer.status, headers=told, content=answer.text.encode(), request=request)
