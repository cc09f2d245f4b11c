"""The canonical request and response, and the seam every provider adapter fills."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from datagen.hashing import fingerprint
from datagen.jsonl import JsonObject

ChatRole = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    role: ChatRole
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request, complete: two requests with the same key may share one paid response.

    ``schema`` is the JSON Schema the answer should follow; ``sample_index`` tells apart requests that are equal on purpose.
    """

    provider: str
    base_url: str
    model: str
    messages: tuple[ChatMessage, ...]
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    schema: JsonObject | None = None
    schema_name: str = "answer"
    sample_index: int = 0

    def key(self) -> str:
        """Return the sha256 over everything that can change the answer, the system prompt included; no key or secret is part of it."""
        return fingerprint(
            [
                self.provider,
                self.base_url,
                self.model,
                [[m.role, m.content] for m in self.messages],
                self.parameters,
                self.schema,
                self.schema_name,
                self.sample_index,
            ]
        )


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """An answer. ``finish_reason`` is ``length`` if it was cut off by the token limit; ``cached``: it came from the store, unpaid."""

    text: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    model: str
    cached: bool = False


class Client(Protocol):
    """Anything that answers chat requests."""

    @property
    def provider(self) -> str: ...

    @property
    def base_url(self) -> str: ...

    @property
    def model(self) -> str: ...

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Answer one request.

        Raises:
            ProviderError: the provider refused or failed for good.
        """
        ...
