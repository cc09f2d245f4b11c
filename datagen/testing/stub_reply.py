"""One answer of the stub, before it is written to the wire."""

from dataclasses import dataclass, field

from datagen.jsonl import JsonObject


@dataclass(frozen=True, slots=True)
class Bill:
    """A paid answer: the request's hash and the tokens."""

    request: str
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, and the bill if it is a paid one. ``raw`` replaces the JSON body."""

    status: int
    body: JsonObject
    headers: dict[str, str] = field(default_factory=dict[str, str])
    bill: Bill | None = None
    raw: bytes | None = None


def error(status: int, message: str, headers: dict[str, str] | None = None) -> Reply:
    """Return an error in OpenAI's form."""
    return Reply(status, {"error": {"message": message, "type": "stub_error", "code": None}}, headers or {})
