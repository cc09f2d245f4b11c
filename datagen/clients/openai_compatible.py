"""OpenAI's chat API and everything that speaks it (vLLM, llama.cpp, Ollama, DeepSeek, DashScope, ...).

A pure pair, :func:`build_request` and :func:`parse_response`, around the SDK's ``AsyncOpenAI`` with its retries off. A schema is asked
for in the strictest form the endpoint takes: ``json_schema``, then ``json_object``, then the prompt's words only. A form is given up
for good when the endpoint answers 400 or 422 to it and takes the same request in a weaker form.
"""

import asyncio
import email.utils
import json
import math
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from datagen.clients.types import ChatRequest, ChatResponse, ExchangeFailed
from datagen.jsonl import JsonObject
from datagen.text import estimate_tokens

Form = Literal["json_schema", "json_object", "prompt"]
FORMS: tuple[Form, ...] = ("json_schema", "json_object", "prompt")
_RETRYABLE = (408, 409, 429)


def build_request(request: ChatRequest, form: Form) -> JsonObject:
    """Return the keyword arguments of ``chat.completions.create``, which are also the JSON body."""
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
        prompt = "\n".join(m.content for m in request.messages)
        return ChatResponse(
            text=answer,
            finish_reason=str(choice.get("finish_reason") or "stop"),
            tokens_in=_count(usage.get("prompt_tokens"), prompt),
            tokens_out=_count(usage.get("completion_tokens"), answer),
            model=str(payload.get("model") or request.model),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ExchangeFailed(
            f"{request.base_url} (model {request.model}) answered 200 with something that is not a chat completion",
            hint="check that the base URL ends in the API's root, for example /v1",
            kind="unavailable",
            status=200,
        ) from error


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
    if status in _RETRYABLE or status >= 500:
        kind = "throttled" if status == 429 else "unavailable"
        wait_s = retry_after_s(headers, now_s=time.time() if now_s is None else now_s)
        hint = "wait, lower --concurrency, or raise the rate limit; what was paid so far is stored" if status == 429 else _HINT_DOWN
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


class OpenAICompatible:
    """Adapter for one endpoint. Connections belong to the running event loop and close with it."""

    def __init__(self, base_url: str, api_key: str, *, timeout_s: float, loopback: bool) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._loopback = loopback
        self._form = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lifeline: AsyncGenerator[Any, None] | None = None
        self._sdk: Any = None

    def __repr__(self) -> str:
        return f"OpenAICompatible({self._base_url!r})"

    async def send(self, request: ChatRequest) -> ChatResponse:
        """Send one request in the strictest form the endpoint is known to take, weaker forms after a 400 or 422."""
        if request.schema is None:
            return await self._post(request, "prompt")
        form = self._form
        refusal: ExchangeFailed | None = None
        for form in range(self._form, len(FORMS)):
            try:
                response = await self._post(request, FORMS[form])
            except ExchangeFailed as failure:
                if failure.status not in (400, 422):
                    raise
                refusal = refusal or failure
            else:
                self._form = max(self._form, form)
                return response
        assert refusal is not None
        raise refusal

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        lifeline, self._lifeline, self._loop, self._sdk = self._lifeline, None, None, None
        if lifeline is not None:
            await lifeline.aclose()

    async def _post(self, request: ChatRequest, form: Form) -> ChatResponse:
        import openai

        sdk = await self._connect()
        try:
            raw = await sdk.chat.completions.with_raw_response.create(**build_request(request, form))
            text: str = raw.http_response.text
        except openai.APIStatusError as error:
            # `from None`: the SDK's message repeats what the server said, and servers have been seen to repeat the key.
            raise explain_status(error.status_code, error.body, error.response.headers, request, self._api_key) from None
        except openai.APITimeoutError as error:
            message = f"{self._base_url} (model {request.model}) gave no answer within {self._timeout_s:g} s"
            raise ExchangeFailed(message, hint=_HINT_DOWN, kind="unavailable") from error
        except openai.APIConnectionError as error:
            cause = type(error.__cause__).__name__ if error.__cause__ else "no connection"
            message = f"{self._base_url} does not answer (model {request.model}, {cause})"
            raise ExchangeFailed(message, hint=_HINT_DOWN, kind="unavailable") from error
        return parse_response(text, request)

    async def _connect(self) -> Any:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._lifeline = self._keep_open()
            self._loop = loop
            self._sdk = await anext(self._lifeline)
        return self._sdk

    async def _keep_open(self) -> AsyncGenerator[Any, None]:
        """Yield the SDK's client; an event loop that ends finishes its generators, which closes the connections."""
        import openai

        http = openai.DefaultAsyncHttpxClient(trust_env=False) if self._loopback else None
        sdk = openai.AsyncOpenAI(api_key=self._api_key, base_url=self._base_url, timeout=self._timeout_s, max_retries=0, http_client=http)
        try:
            yield sdk
        finally:
            await sdk.close()


def _count(reported: object, text: str) -> int:
    return reported if isinstance(reported, int) and not isinstance(reported, bool) and reported >= 0 else estimate_tokens(text)


_HINT_DOWN = "check that the server runs and the base URL is right; what was paid so far is stored, run the same command again"
_HINTS = {
    401: "check the environment variable OPENAI_API_KEY",
    403: "the key may not use this model or endpoint; check OPENAI_API_KEY and the account's rights",
    404: "check model name and base URL; `GET BASE_URL/models` lists what the server has",
}
