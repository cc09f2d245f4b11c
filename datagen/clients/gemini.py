"""Gemini through Google's current SDK, google-genai, with its own retries off.

A pure pair, :func:`build_request` and :func:`parse_response`. The SDK repeats a request by itself after a connection error, which could
pay twice, unless it is given retry options; so it is given one attempt. Its ``.parsed`` may silently be None: the text is what is
validated, by ``generate.structured``.
"""

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, cast

import httpx

from datagen.clients.connection import Connection, connect
from datagen.clients.httpx_wire import Delivery, WireTransport, delivery
from datagen.clients.types import ChatRequest, ChatResponse, Exchange, ExchangeFailed
from datagen.clients.wire import HINT_DOWN, DirectConnection, HttpAnswer, read_whole
from datagen.jsonl import JsonObject
from datagen.text import estimate_tokens

if TYPE_CHECKING:
    from datagen.clients.caching import Keeper

_FINISH = {"STOP": "stop", "MAX_TOKENS": "length"}
_DAILY = re.compile(r"(?i)per[ _-]?day")
_SECONDS = re.compile(r"^(\d+(?:\.\d+)?)s$")


def build_request(request: ChatRequest) -> JsonObject:
    """Return the keyword arguments of ``models.generate_content``, as plain data."""
    system = "\n\n".join(m.content for m in request.messages if m.role == "system")
    contents = [
        {"role": "model" if m.role == "assistant" else "user", "parts": [{"text": m.content}]}
        for m in request.messages
        if m.role != "system"
    ]
    config: JsonObject = {"system_instruction": system} if system else {}
    names = {"temperature": "temperature", "max_tokens": "max_output_tokens", "seed": "seed"}
    config |= {names[name]: value for name, value in request.parameters.to_json().items()}
    if request.schema is not None:
        config |= {"response_mime_type": "application/json", "response_json_schema": request.schema}
    return {"model": request.model, "contents": contents, "config": config}


def parse_response(payload: JsonObject, request: ChatRequest) -> ChatResponse:
    """Read an answer's JSON (camelCase, as Gemini sends it). Thoughts are left out of the text and count as completion tokens.

    Raises:
        ExchangeFailed: the prompt was blocked (``rejected``), or this is no answer of Gemini.
    """
    name = f"{request.base_url} (model {request.model})"
    blocked = (payload.get("promptFeedback") or {}).get("blockReason")
    candidates = payload.get("candidates")
    if blocked or not isinstance(candidates, list) or not candidates:
        if blocked or payload.get("usageMetadata"):
            said = f"{name} blocked the prompt ({blocked or 'no candidate'})"
            raise ExchangeFailed(said, hint="see Gemini's safety settings, or leave that document out", kind="rejected", status=200)
        message = f"{name} answered 200 with something that is not an answer of Gemini"
        raise ExchangeFailed(message, hint="check the base URL", kind="unavailable", status=200, maybe_billed=True)
    first = cast("JsonObject", candidates[0])
    parts = cast("list[JsonObject]", (first.get("content") or {}).get("parts") or [])
    text = "".join(str(p.get("text") or "") for p in parts if not p.get("thought"))
    usage = cast("JsonObject", payload.get("usageMetadata") or {})
    prompt = "\n".join(m.content for m in request.messages)
    reason = str(first.get("finishReason") or "STOP")
    return ChatResponse(
        text=text,
        finish_reason=_FINISH.get(reason, reason.lower()),
        tokens_in=int(usage.get("promptTokenCount") or estimate_tokens(prompt)),
        tokens_out=int(usage.get("candidatesTokenCount") or estimate_tokens(text)) + int(usage.get("thoughtsTokenCount") or 0),
        model=str(payload.get("modelVersion") or request.model),
    )


def explain_error(status: int, body: object, request: ChatRequest, secret: str) -> ExchangeFailed:
    """Turn an error answer into the failure the retry loop understands; the key never shows. A quota a day fails fast."""
    error = cast("JsonObject", body.get("error") or {}) if isinstance(body, dict) else {}
    said = " ".join(str(error.get("message") or "").replace(secret or "\0", "***").split())[:300]
    message = f"{request.base_url} answered {status} for model {request.model}" + (f": {said}" if said else "")
    details = [cast("JsonObject", d) for d in error.get("details") or [] if isinstance(d, dict)]
    if status == 429:
        quotas = [str(v.get("quotaId", "")) for d in details for v in d.get("violations") or []]
        if any(_DAILY.search(text) for text in (*quotas, said)):
            return ExchangeFailed(message, hint="the day's quota is used up; go on tomorrow, what was paid is stored", status=status)
        waits = [m.group(1) for d in details if (m := _SECONDS.match(str(d.get("retryDelay", ""))))]
        hint = "wait, lower --concurrency or --rpm; what was paid so far is stored"
        return ExchangeFailed(message, hint=hint, kind="throttled", status=status, retry_after_s=float(waits[0]) if waits else None)
    if status in (408, 409) or status >= 500:
        return ExchangeFailed(message, hint=HINT_DOWN, kind="unavailable", status=status)
    if status == 400 and "API key" not in said:
        return ExchangeFailed(message, hint="the request itself was refused; see the server's words", kind="rejected", status=status)
    return ExchangeFailed(message, hint=_HINTS.get(status, "see the server's words"), status=status)


def parse_landed(raw: bytes, request: ChatRequest) -> ChatResponse | None:
    """Read what arrived of an answer before its process died (see ``landing``); None if it is none of Gemini's, or not whole."""
    answer = read_whole(raw)
    return _parse_text(answer, request) if answer is not None else None


def _parse_text(answer: HttpAnswer, request: ChatRequest) -> ChatResponse | None:
    """Return what an HTTP answer brings, None if it brings nothing."""
    if answer.status != 200:
        return None
    try:
        payload: object = json.loads(answer.text)
        return parse_response(cast("JsonObject", payload), request) if isinstance(payload, dict) else None
    except (ValueError, TypeError, AttributeError, ExchangeFailed):
        return None


class Gemini:
    """Adapter for one Gemini endpoint.

    ``keeper`` gives answers a slot to land in, and is told of every completion the moment it is read; without one (the batch API, which
    uploads files as well) all goes over aiohttp.
    """

    def __init__(self, base_url: str, api_key: str, *, timeout_s: float, loopback: bool, keeper: "Keeper | None" = None) -> None:
        self._keeper = keeper
        self._base_url = base_url
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._connection: Connection | DirectConnection = Connection({}, timeout_s=timeout_s, loopback=loopback)
        if keeper:
            self._connection = connect(base_url, {}, timeout_s=timeout_s, loopback=loopback)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sdk: Any = None

    def __repr__(self) -> str:
        return f"Gemini({self._base_url!r})"

    async def send(self, request: ChatRequest) -> Exchange:
        """Send one request; a schema is always enforced, Gemini has no weaker form worth having."""
        keeper = self._keeper if isinstance(self._connection, DirectConnection) else None
        slot = keeper.land(request) if keeper else None

        def read(answer: HttpAnswer) -> None:
            response = _parse_text(answer, request)
            if keeper and response is not None:
                keeper.keep(request, response, landed=slot is not None and not slot.full)

        name = f"{self._base_url} (model {request.model})"
        delivery.set(Delivery(name, read, slot))
        try:
            return await self._ask(request, name)
        finally:
            if keeper and slot:
                keeper.give_back(request, slot)

    async def _ask(self, request: ChatRequest, name: str) -> Exchange:
        import aiohttp
        from google.genai import errors

        sdk = await self.sdk()
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await sdk.aio.models.generate_content(**build_request(request))
        except ExchangeFailed:
            raise
        except errors.APIError as error:
            # `from None`: the SDK's message repeats what the server said, and servers have been seen to repeat the key.
            raise explain_error(error.code or 0, error.details, request, self._api_key) from None
        except TimeoutError as error:
            message = f"{name} gave no answer within {self._timeout_s:g} s"
            raise ExchangeFailed(message, hint=HINT_DOWN, kind="unavailable", maybe_billed=True) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            sent = not isinstance(error, aiohttp.ClientConnectorError)
            message = f"{name} does not answer ({type(error.__cause__ or error).__name__})"
            raise ExchangeFailed(message, hint=HINT_DOWN, kind="unavailable", maybe_billed=sent) from error
        return Exchange(parse_response(answer.model_dump(mode="json", by_alias=True, exclude_none=True), request))

    async def sdk(self) -> Any:
        """Return the SDK's client over this loop's connections."""
        from google import genai
        from google.genai import types

        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            options = types.HttpOptions(
                base_url=self._base_url,
                api_version="v1beta",
                timeout=round(self._timeout_s * 1000),
                retry_options=types.HttpRetryOptions(attempts=1),
            )
            if isinstance(self._connection, DirectConnection):
                options.httpx_async_client = httpx.AsyncClient(transport=WireTransport(self._connection))
            else:
                options.aiohttp_client = await self._connection.session()
            self._sdk = genai.Client(api_key=self._api_key, http_options=options)
            self._loop = loop
        return self._sdk

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        self._loop = self._sdk = None
        await self._connection.aclose()


_HINTS = {
    400: "check the environment variable GEMINI_API_KEY",
    401: "check the environment variable GEMINI_API_KEY",
    403: "the key may not use this model; check GEMINI_API_KEY and the project's rights",
    404: "check the model's name; Google's models page lists them",
}
