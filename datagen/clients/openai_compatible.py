"""OpenAI's chat API and everything that speaks it (vLLM, SGLang, llama.cpp, Ollama, DeepSeek, DashScope, ...).

A pure pair, :func:`build_request` and :func:`parse_response`, around one POST (see ``connection`` for why not through the SDK, which
serves the batch API in ``batch``). A schema is asked for in the strictest form the endpoint takes: ``json_schema``, then
``json_object``, then the prompt's words only. A form is given up for good when the endpoint answers 400 or 422 to it and takes the same
request in a weaker form.
"""

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

from datagen.clients.connection import connect
from datagen.clients.types import Allowance, ChatRequest, ChatResponse, Exchange, ExchangeFailed
from datagen.clients.wire import HINT_DOWN, DirectConnection, HttpAnswer, read_whole
from datagen.hashing import sha256_hex
from datagen.jsonl import JsonObject
from datagen.text import estimate_tokens

if TYPE_CHECKING:
    from datagen.clients.caching import Keeper

Form = Literal["json_schema", "json_object", "prompt"]
FORMS: tuple[Form, ...] = ("json_schema", "json_object", "prompt")
_BODY = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_RETRYABLE = (408, 409, 429)
_DAILY = re.compile(r"(?i)per[ _-]?day|daily|\b[RT]PD\b")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_RATE_HEADERS: Mapping[Literal["requests", "tokens"], tuple[str, str, str]] = {
    "requests": ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    "tokens": ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def build_request(request: ChatRequest, form: Form) -> JsonObject:
    """Return the JSON body, which is also the keyword arguments of the SDK's ``chat.completions.create``."""
    body: JsonObject = {"model": request.model, "messages": [{"role": m.role, "content": m.content} for m in request.messages]}
    body |= request.parameters.to_json()
    host = urlsplit(request.base_url).hostname or ""
    if "max_tokens" in body and host.endswith("openai.com"):
        body["max_completion_tokens"] = body.pop("max_tokens")
    if request.schema is not None and form == "json_schema":
        schema = {"name": request.schema_name or "answer", "schema": request.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif request.schema is not None and form == "json_object":
        body["response_format"] = {"type": "json_object"}
    return body


def parse_response(text: str, request: ChatRequest) -> ChatResponse:
    """Read the body of a 200 answer. A completion without text (a refusal, a tool call) has text ``''``.

    Raises:
        ExchangeFailed: not a chat completion; a gateway's page or a torn body, so worth another try.
    """
    try:
        payload: Any = json.loads(text)
        choice = payload["choices"][0]
        content: Any = choice["message"].get("content") or ""
        usage: Any = payload.get("usage") or {}
        answer = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        answer = _with_thought(choice["message"], answer)
        return ChatResponse(
            text=answer,
            finish_reason=str(choice.get("finish_reason") or "stop"),
            tokens_in=_count(usage.get("prompt_tokens"), *(m.content for m in request.messages)),
            tokens_out=_count(usage.get("completion_tokens"), answer),
            model=str(payload.get("model") or request.model),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ExchangeFailed(
            f"{request.base_url} (model {request.model}) answered 200 with something that is not a chat completion",
            hint="check that the base URL ends in the API's root, for example /v1",
            kind="unavailable",
            status=200,
            maybe_billed=True,
        ) from error


def _with_thought(message: Mapping[str, Any], answer: str) -> str:
    """Put what a server tells apart as reasoning (DeepSeek, vLLM, SGLang) before the answer, as models write it themselves."""
    thought = next((t for name in ("reasoning_content", "reasoning") if isinstance(t := message.get(name), str) and t.strip()), "")
    return f"<think>\n{thought.strip()}\n</think>\n\n{answer}" if thought and answer else answer


def explain_status(
    status: int, body: object, headers: Mapping[str, str], request: ChatRequest, secret: str, *, now_s: float | None = None
) -> ExchangeFailed:
    """Turn an error answer into the failure the retry loop understands. The key never shows, even if the server repeats it."""
    detail = body.get("error", body) if isinstance(body, dict) else body
    fields = cast("dict[str, Any]", detail) if isinstance(detail, dict) else {}
    said = str(fields.get("message") or (detail if isinstance(detail, str) else "")).strip()
    said = " ".join(said.replace(secret, "***").split())[:300] if secret else " ".join(said.split())[:300]
    message = f"{request.base_url} answered {status} for model {request.model}" + (f": {said}" if said else "")
    if status == 429 and "insufficient_quota" in (fields.get("code"), fields.get("type")):
        return ExchangeFailed(message, hint="the account has no quota left: add credit or use another model", kind="fatal", status=status)
    if status == 429 and _DAILY.search(said):
        return ExchangeFailed(message, hint="the day's quota is used up; go on tomorrow, what was paid is stored", status=status)
    if status in _RETRYABLE or status >= 500:
        kind = "throttled" if status == 429 else "unavailable"
        wait_s = retry_after_s(headers, now_s=time.time() if now_s is None else now_s)
        hint = "wait, lower --concurrency, or raise the rate limit; what was paid so far is stored" if status == 429 else HINT_DOWN
        return ExchangeFailed(message, hint=hint, kind=kind, status=status, retry_after_s=wait_s)
    if status in (400, 413, 422):
        return ExchangeFailed(message, hint="the request itself was refused; see the server's words", kind="rejected", status=status)
    return ExchangeFailed(message, hint=_HINTS.get(status, "see the server's words"), kind="fatal", status=status)


def retry_after_s(headers: Mapping[str, str], *, now_s: float) -> float | None:
    """Return the wait a server asks for: ``retry-after-ms``, ``Retry-After`` in seconds or as an HTTP date; None if unusable."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            wait_s = float(value) / scale
        except ValueError:
            date = email.utils.parsedate_tz(value)
            wait_s = email.utils.mktime_tz(date) - now_s if date else math.nan
        if math.isfinite(wait_s):
            return max(0.0, wait_s)
    return None


def read_allowances(headers: Mapping[str, str]) -> tuple[Allowance, ...]:
    """Read ``x-ratelimit-{limit,remaining,reset}-{requests,tokens}``; what is missing or unreadable is left out."""
    found: list[Allowance] = []
    for unit, names in _RATE_HEADERS.items():
        if names[0] not in headers:
            continue
        limit, remaining = _number(headers.get(names[0])), _number(headers.get(names[1]))
        if limit and remaining is not None:
            reset = headers.get(names[2], "")
            parts = _DURATION.findall(reset)
            reset_s = sum(float(n) * _SECONDS[u] for n, u in parts) if parts else _number(reset)
            found.append(Allowance(unit, limit, remaining, reset_s))
    return tuple(found)


def parse_landed(raw: bytes, request: ChatRequest) -> ChatResponse | None:
    """Read what arrived of an answer before its process died (see ``landing``); None if it is no completion, or not whole."""
    answer = read_whole(raw)
    if answer is None or answer.status != 200:
        return None
    try:
        return parse_response(answer.text, request)
    except ExchangeFailed:
        return None


class OpenAICompatible:
    """Adapter for one endpoint. ``keeper`` gives answers a slot to land in, and is told of every completion the moment it is read."""

    def __init__(self, base_url: str, api_key: str, *, timeout_s: float, loopback: bool, keeper: "Keeper | None" = None) -> None:
        self._keeper = keeper
        self._base_url = base_url
        self._api_key = api_key
        self._url = f"{base_url}/chat/completions"
        headers = {"Authorization": f"Bearer {api_key}"}
        self._connection = connect(self._url, headers, timeout_s=timeout_s, loopback=loopback)
        self._form = 0
        self._frames: dict[tuple[object, ...], bytes] = {}

    def __repr__(self) -> str:
        return f"OpenAICompatible({self._base_url!r})"

    async def send(self, request: ChatRequest) -> Exchange:
        """Send one request in the strictest form the endpoint is known to take, weaker forms after a 400 or 422."""
        if request.schema is None:
            return await self._post(request, "prompt")
        form = self._form
        refusal: ExchangeFailed | None = None
        for form in range(self._form, len(FORMS)):
            try:
                exchange = await self._post(request, FORMS[form])
            except ExchangeFailed as failure:
                if failure.status not in (400, 422):
                    raise
                refusal = refusal or failure
            else:
                self._form = max(self._form, form)
                return exchange
        assert refusal is not None
        raise refusal

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._connection.aclose()

    async def _post(self, request: ChatRequest, form: Form) -> Exchange:
        body = self.body(request, form)
        # Providers that honour it answer a request repeated after a kill or a broken connection from memory, and bill it once.
        once = {"Idempotency-Key": sha256_hex(body + f"\x00{request.sample_index}".encode())}

        def read(answer: HttpAnswer) -> Exchange:
            if answer.status != 200:
                raise explain_status(answer.status, _json_or_text(answer.text), answer.headers, request, self._api_key)
            response = parse_response(answer.text, request)
            if keeper:
                keeper.keep(request, response, landed=slot is not None and not slot.full)
            return Exchange(response, read_allowances(answer.headers))

        keeper = self._keeper
        slot = keeper.land(request) if keeper and isinstance(self._connection, DirectConnection) else None
        try:
            name = f"{self._base_url} (model {request.model})"
            return await self._connection.post(self._url, body, read, name=name, headers=once, slot=slot)
        finally:
            if keeper and slot:
                keeper.give_back(request, slot)

    def body(self, request: ChatRequest, form: Form) -> bytes:
        """Return :func:`build_request` as JSON: the messages, which the request has as bytes already, in a frame that requests share."""
        shared = (form, request.model, request.parameters.canonical(), request.schema_json(), request.schema_name)
        frame = self._frames.get(shared)
        if frame is None:
            without = {name: value for name, value in build_request(request, form).items() if name != "messages"}
            frame = self._frames[shared] = _BODY.encode(without).encode("utf-8", "surrogatepass")
        return b'{"messages":%b,%b' % (request.messages_json(), frame[1:])


def _json_or_text(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _count(reported: object, *texts: str) -> int:
    return reported if isinstance(reported, int) and not isinstance(reported, bool) and reported >= 0 else estimate_tokens("\n".join(texts))


_HINTS = {
    401: "check the environment variable OPENAI_API_KEY",
    403: "the key may not use this model or endpoint; check OPENAI_API_KEY and the account's rights",
    404: "check model name and base URL; `GET BASE_URL/models` lists what the server has",
}
