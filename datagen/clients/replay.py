"""A client that never reaches a provider: with the response store in front of it, a run replays offline or says what is missing."""

from datagen.clients.types import ChatRequest, ChatResponse
from datagen.errors import ProviderError


class ReplayClient:
    """Stands behind the store and refuses everything the store does not have.

    Args:
        where: the store's file, for the error message.
    """

    def __init__(self, where: str) -> None:
        self._where = where

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Refuse.

        Raises:
            ProviderError: always; the message names the request's key, model and the store.
        """
        raise ProviderError(
            f"replay: no stored response for request {request.key()[:12]} to {request.model} at {request.base_url} in {self._where}",
            hint="run once without 'replay:' to fill the store; any change of prompt, parameters, documents or model asks anew",
        )

    async def drain(self) -> None:
        """Nothing is on the wire."""

    async def aclose(self) -> None:
        """Nothing to close."""
