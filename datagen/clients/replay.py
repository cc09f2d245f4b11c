"""A sender that never sends: a request that is not in the store is an error. Runs and tests replay offline with it."""

from datagen.clients.types import ChatRequest, ChatResponse
from datagen.errors import ProviderError


class Replay:
    """Stands in for a provider; only the store answers."""

    def __init__(self, provider: str, base_url: str, model: str) -> None:
        self.provider = provider
        self.base_url = base_url
        self.model = model

    async def send(self, request: ChatRequest) -> ChatResponse:
        raise ProviderError(
            f"replay: no stored response for request {request.key()[:12]} to model {self.model}",
            hint="run once without 'replay:' to record it; a changed prompt, parameter or document is another request",
        )

    async def aclose(self) -> None:
        return None
