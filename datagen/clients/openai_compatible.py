"""Any server that speaks OpenAI's chat protocol: OpenAI, vLLM, SGLang, Ollama, DeepSeek, Qwen endpoints.

``build`` and ``parse`` are pure. The SDK's own retries are off: one retry loop serves all, in ``base``.
"""

import os
from typing import Any, Literal
from urllib.parse import urlsplit

import openai

from datagen.clients.types import ChatRequest, ChatResponse
from datagen.errors import ProviderError, UsageError
from datagen.jsonl import JsonObject

Form = Literal["json_schema", "json_object", "text"]
FORMS: tuple[Form, ...] = ("json_schema", "json_object", "text")
DEFAULT_BASE_URL = "https://api.openai.com/v1"


def build(request: ChatRequest, form: Form) -> JsonObject:
    """Return the request body: structured output asked for in the given form. The SDK sends it unchanged."""
    body: JsonObject = {
        "model": request.model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        **request.parameters,
    }
    if request.schema is not None and form == "json_schema":
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": request.schema_name, "schema": request.schema, "strict": True}}
    elif request.schema is not None and form == "json_object":
        body["response_format"] = {"type": "json_object"}
    return body


def parse(completion: Any, request: ChatRequest) -> ChatResponse:
    """Read a chat completion; a missing usage block counts as 0 tokens.

    Raises:
        ProviderError: no choice in it, retryable.
    """
    if not completion.choices:
        raise ProviderError(f"model {request.model} at {request.base_url}: the response has no choices", retryable=True)
    choice = completion.choices[0]
    usage = completion.usage
    return ChatResponse(
        text=choice.message.content or "",
        finish_reason=choice.finish_reason or "stop",
        tokens_in=usage.prompt_tokens if usage else 0,
        tokens_out=usage.completion_tokens if usage else 0,
        model=completion.model or request.model,
    )


class OpenAICompatible:
    """One model at one endpoint. The API key is read from ``OPENAI_API_KEY`` and kept inside the SDK's client only."""

    provider = "openai"

    def __init__(self, model: str, base_url: str | None, *, timeout_s: float) -> None:
        self.model = model
        self.base_url = (base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_BASE_URL).rstrip("/")
        key = os.environ.get("OPENAI_API_KEY")
        if not key and (urlsplit(self.base_url).hostname or "") not in ("127.0.0.1", "localhost", "::1"):
            raise UsageError(f"no API key for {self.base_url}", hint="set OPENAI_API_KEY in the environment")
        self._sdk = openai.AsyncOpenAI(api_key=key or "none", base_url=self.base_url, max_retries=0, timeout=timeout_s)
        self._form = 0

    async def send(self, request: ChatRequest) -> ChatResponse:
        """Send once. A 400 that names the response format moves this endpoint one step down the ladder, for good.

        Raises:
            ProviderError: with ``retryable`` set; ``retry_after_s`` in its attributes on 429.
        """
        while True:
            form = FORMS[self._form] if request.schema is not None else "text"
            try:
                return parse(await self._sdk.chat.completions.create(**build(request, form)), request)
            except openai.BadRequestError as error:
                if request.schema is None or form == "text" or not _about_format(error):
                    raise self._error(error) from error
                self._form = max(self._form, FORMS.index(form) + 1)
            except openai.OpenAIError as error:
                raise self._error(error) from error

    async def aclose(self) -> None:
        await self._sdk.close()

    def _error(self, error: openai.OpenAIError) -> ProviderError:
        where = f"model {self.model} at {self.base_url}"
        if isinstance(error, openai.APITimeoutError):
            return ProviderError(f"{where}: no answer in time", retryable=True)
        if isinstance(error, openai.APIConnectionError):
            return ProviderError(f"{where}: cannot connect", hint="is the server running, and the address right?", retryable=True)
        if isinstance(error, openai.APIStatusError):
            status = error.status_code
            quota = error.code == "insufficient_quota"
            retryable = status in (408, 409, 429) or status >= 500
            failure = ProviderError(
                f"{where}: HTTP {status}, {_reason(error)}", hint=_advice(status, quota=quota), retryable=retryable and not quota, status=status
            )
            failure.__dict__["retry_after_s"] = _retry_after(error)
            return failure
        # A body that is no chat completion, torn or of another kind.
        return ProviderError(f"{where}: unreadable response ({type(error).__name__})", retryable=True)


def _about_format(error: openai.BadRequestError) -> bool:
    text = str(error.message).lower()
    return "response_format" in text or "json_schema" in text or "schema" in text


def _reason(error: openai.APIStatusError) -> str:
    """The provider's own words, shortened, without anything that looks like a key."""
    import re

    return re.sub(r"\b(sk|key|Bearer)[-_ ][\w-]{6,}", "[key]", str(error.message))[:200]


def _advice(status: int, *, quota: bool) -> str:
    if quota:
        return "the account's quota is used up; nothing more will be sent"
    return {401: "check OPENAI_API_KEY", 403: "this key may not use the model", 404: "check model name and base URL"}.get(status, "")


def _retry_after(error: openai.APIStatusError) -> float:
    try:
        return max(0.0, min(float(error.response.headers.get("retry-after", "0")), 60.0))
    except ValueError:
        return 0.0
