"""What is asked of a language model and what comes back, the same for every provider.

A request's key is the sha256 of everything that can change the answer: provider, base URL, model, parameters, all messages
(the system prompt among them), schema and sample index. API keys are no part of a request.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

from datagen.errors import ProviderError
from datagen.hashing import canonical_json, sha256_hex
from datagen.jsonl import JsonObject

KEY_VERSION = 1
_short_json = lru_cache(256)(canonical_json)
"""Canonical JSON of a short string that many requests share: a model's name, a URL."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Parameters:
    """Sampling parameters; None leaves the provider's default. ``max_tokens`` limits the completion. A strategy's requests share one."""

    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None

    def to_json(self) -> JsonObject:
        """Return the parameters that are set."""
        values: JsonObject = {"temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed}
        return {name: value for name, value in values.items() if value is not None}

    def canonical(self) -> bytes:
        """Return the canonical JSON of :meth:`to_json`. Kept with the object: 1 and 1.0 are equal, and two different texts."""
        known: bytes | None = self.__dict__.get("_canonical")
        if known is None:
            known = self.__dict__["_canonical"] = canonical_json(self.to_json())
        return known


class _SchemaJson:
    """Canonical JSON of schemas, by object: strategies ask for one schema a thousand times, and it is longer than the prompt.

    An entry keeps its schema alive, so that its id names no other; a schema is not changed once it is in a request.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[JsonObject, bytes]] = {}

    def __call__(self, schema: JsonObject | None) -> bytes:
        if schema is None:
            return b"null"
        known = self._known.get(id(schema))
        if known is None:
            if len(self._known) >= 256:
                self._known.clear()
            known = self._known[id(schema)] = (schema, canonical_json(schema))
        return known[1]


_schema_json = _SchemaJson()


@dataclass(frozen=True)
class ChatRequest:
    """One completion to ask for. What it is as JSON is worked out once: rows, key and body all need it.

    ``schema`` is a JSON Schema the answer should follow; how strictly the provider enforces it is the adapter's matter.
    ``sample_index`` tells repeated samples of one prompt apart; it is not sent.
    """

    provider: str
    base_url: str
    model: str
    messages: tuple[ChatMessage, ...]
    parameters: Parameters = Parameters()
    schema: JsonObject | None = None
    schema_name: str = ""
    sample_index: int = 0

    def to_json(self) -> JsonObject:
        """Return the canonical form the key is computed from."""
        return {
            "version": KEY_VERSION,
            "provider": self.provider,
            "base_url": self.base_url,
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            "parameters": self.parameters.to_json(),
            "schema": self.schema,
            "schema_name": self.schema_name,
            "sample_index": self.sample_index,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "ChatRequest":
        """Read what :meth:`to_json` wrote."""
        return cls(
            provider=value["provider"],
            base_url=value["base_url"],
            model=value["model"],
            messages=tuple(ChatMessage(m["role"], m["content"]) for m in value["messages"]),
            parameters=Parameters(**value["parameters"]),
            schema=value["schema"],
            schema_name=value["schema_name"],
            sample_index=value["sample_index"],
        )

    def canonical(self) -> bytes:
        """Return the bytes the key is computed from: canonical JSON of :meth:`to_json`, put together from parts that requests share."""
        return b"".join(
            (
                b'{"base_url":',
                _short_json(self.base_url),
                b',"messages":',
                self.messages_json(),
                b',"model":',
                _short_json(self.model),
                b',"parameters":',
                self.parameters.canonical(),
                b',"provider":',
                _short_json(self.provider),
                b',"sample_index":%d,"schema":' % self.sample_index,
                self.schema_json(),
                b',"schema_name":',
                _short_json(self.schema_name),
                b',"version":%d}' % KEY_VERSION,
            )
        )

    def messages_json(self) -> bytes:
        """Return the messages as canonical JSON."""
        known: bytes | None = self.__dict__.get("_messages_json")
        if known is None:
            messages = [b'{"content":%b,"role":%b}' % (canonical_json(m.content), _short_json(m.role)) for m in self.messages]
            known = self.__dict__["_messages_json"] = b"[%b]" % b",".join(messages)
        return known

    def schema_json(self) -> bytes:
        """Return the schema as canonical JSON, ``null`` if there is none."""
        return _schema_json(self.schema)

    def key(self) -> str:
        """Return the sha256 that names this request in the response store and in provenance."""
        known: str | None = self.__dict__.get("_key")
        return known or self.keyed(self.canonical())

    def keyed(self, canonical: bytes) -> str:
        """Return :meth:`key`, for a caller that has :meth:`canonical` at hand."""
        known: str | None = self.__dict__.get("_key")
        if known is None:
            known = self.__dict__["_key"] = sha256_hex(canonical)
        return known


@dataclass(frozen=True, slots=True)
class ChatResponse:
    """A completion. ``finish_reason`` is the provider's word (``stop``, ``length``, ...); token counts are the provider's,
    or estimates where it reports none. ``cached`` means that the response store answered and nothing was paid."""

    text: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    model: str
    cached: bool = False

    def to_json(self) -> JsonObject:
        """Return what the store keeps: everything but ``cached``."""
        return {
            "text": self.text,
            "finish_reason": self.finish_reason,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "model": self.model,
        }

    def canonical(self) -> bytes:
        """Return the canonical JSON of :meth:`to_json`, in a third of the time."""
        words = (_short_json(self.finish_reason), _short_json(self.model), canonical_json(self.text), self.tokens_in, self.tokens_out)
        return b'{"finish_reason":%b,"model":%b,"text":%b,"tokens_in":%d,"tokens_out":%d}' % words

    @classmethod
    def from_json(cls, value: dict[str, Any], *, cached: bool) -> "ChatResponse":
        """Read what :meth:`to_json` wrote."""
        return cls(
            text=value["text"],
            finish_reason=value["finish_reason"],
            tokens_in=value["tokens_in"],
            tokens_out=value["tokens_out"],
            model=value["model"],
            cached=cached,
        )


class Client(Protocol):
    """Something that completes requests."""

    async def complete(self, request: ChatRequest) -> ChatResponse:
        """Return the completion of one request.

        Raises:
            RequestFailed: this request cannot be served, others can.
            ProviderError: no request can be served (wrong key, no quota, server down).
        """
        ...

    async def aclose(self) -> None:
        """Send nothing more, wait for what is on the wire, since it is paid for, and close; the client cannot be used afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a server's headers say about one of its rate limits.

    Attributes:
        unit: what is counted.
        limit: most units in a period.
        remaining: units left now.
        reset_s: seconds until the whole limit is there again; None if the server does not say.
    """

    unit: Literal["requests", "tokens"]
    limit: float
    remaining: float
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One successful exchange: the completion, and the rate limits its headers told of."""

    response: ChatResponse
    allowances: tuple[Allowance, ...] = ()


FailureKind = Literal["throttled", "unavailable", "rejected", "fatal"]


class ExchangeFailed(ProviderError):
    """One exchange with a provider failed; the retry loop decides what becomes of it.

    Attributes:
        kind: ``throttled`` (429), ``unavailable`` (no answer, 5xx: may work later), ``rejected`` (this request is at fault),
            ``fatal`` (every request would fail: key, quota, unknown model).
        retry_after_s: seconds the server asked to wait, if it did.
        maybe_billed: the request was sent and no answer came back, so the provider may count it all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        kind: FailureKind = "fatal",
        status: int | None = None,
        retry_after_s: float | None = None,
        maybe_billed: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, retryable=kind in ("throttled", "unavailable"), status=status)
        self.kind: FailureKind = kind
        self.retry_after_s = retry_after_s
        self.maybe_billed = maybe_billed


class RequestFailed(ProviderError):
    """This one request cannot be served although others are: refused content, too long, or failing again and again."""
