"""The batch APIs of OpenAI and of Gemini, through their SDKs: create, find, results. See ``batch`` for the client over them."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from datagen.clients import gemini, openai_compatible
from datagen.clients.batch import Result
from datagen.clients.types import ChatRequest, ChatResponse
from datagen.errors import ProviderError
from datagen.jsonl import JsonObject


class OpenAIBatches:
    """OpenAI's batch API through its SDK: a JSONL file, a batch over it, its output files."""

    def __init__(self, base_url: str, api_key: str, *, timeout_s: float, loopback: bool) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._loopback = loopback
        self._sdk: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def create(self, token: str, requests: Mapping[str, ChatRequest]) -> str:
        """Upload and begin."""
        bodies = {key: openai_compatible.build_request(request, "json_schema") for key, request in requests.items()}
        lines = [{"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body} for key, body in bodies.items()]
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode("utf-8", "surrogatepass")
        sdk = await self._connect()
        with self._explain():
            file = await sdk.files.create(file=("datagen.jsonl", content), purpose="batch")
            batch = await sdk.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"datagen": token}
            )
        return str(batch.id)

    async def find(self, token: str) -> str | None:
        """Look through the account's batches, newest first."""
        sdk = await self._connect()
        with self._explain():
            async for batch in sdk.batches.list(limit=100):
                if (batch.metadata or {}).get("datagen") == token:
                    return str(batch.id)
        return None

    async def results(self, batch_id: str) -> list[Result] | None:
        """Read the output and error files of a batch that is over."""
        sdk = await self._connect()
        with self._explain():
            batch = await sdk.batches.retrieve(batch_id)
            if batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
                return None
            files = [name for name in (batch.output_file_id, batch.error_file_id) if name]
            if batch.status != "completed" and not files:
                raise _failed(self._base_url, batch_id, str(batch.status))
            # Not splitlines: an answer may hold U+2028 and other marks that end a line for Python alone.
            lines = [json.loads(line) for name in files for line in (await sdk.files.content(name)).text.split("\n") if line.strip()]
        found: list[Result] = []
        for line in lines:
            response = line.get("response") or {}
            good = response.get("status_code") == 200
            error = json.dumps(line.get("error") or response.get("body"), ensure_ascii=False)
            found.append(Result(str(line["custom_id"]), response["body"] if good else None, "" if good else error))
        return found

    def parse(self, payload: JsonObject, request: ChatRequest) -> ChatResponse:
        """Read a chat completion."""
        return openai_compatible.parse_response(json.dumps(payload), request)

    async def aclose(self) -> None:
        """Close connections."""
        if self._sdk is not None:
            await self._sdk.close()

    async def _connect(self) -> Any:
        import openai

        if self._loop is not asyncio.get_running_loop():
            http = openai.DefaultAsyncHttpxClient(trust_env=False) if self._loopback else None
            # These calls may be repeated: none of them is a completion.
            # One connection a call: one that is kept would belong to an event loop, and a run has several, one after the other.
            self._sdk = openai.AsyncOpenAI(
                default_headers={"Connection": "close"},
                api_key=self._api_key,
                base_url=self._base_url,
                timeout=self._timeout_s,
                max_retries=0,
                http_client=http,
            )
            self._loop = asyncio.get_running_loop()
        return self._sdk

    def _explain(self) -> Any:
        import openai

        return _Explain(openai.OpenAIError, self._base_url, self._api_key)


class GeminiBatches:
    """Gemini's batch API through google-genai, with inlined requests."""

    def __init__(self, base_url: str, api_key: str, *, timeout_s: float, loopback: bool) -> None:
        self._adapter = gemini.Gemini(base_url, api_key, timeout_s=timeout_s, loopback=loopback)
        self._base_url = base_url
        self._api_key = api_key

    async def create(self, token: str, requests: Mapping[str, ChatRequest]) -> str:
        """Send all requests in one call."""
        lines: list[JsonObject] = []
        for key, request in requests.items():
            built = gemini.build_request(request)
            lines.append({"contents": built["contents"], "config": built["config"], "metadata": {"key": key}})
        model = next(iter(requests.values())).model
        sdk = await self._adapter.sdk()
        with self._explain():
            batch = await sdk.aio.batches.create(model=model, src=lines, config={"display_name": f"datagen-{token}"})
        return str(batch.name)

    async def find(self, token: str) -> str | None:
        """Look through the project's batches."""
        sdk = await self._adapter.sdk()
        with self._explain():
            async for batch in await sdk.aio.batches.list():
                if batch.display_name == f"datagen-{token}":
                    return str(batch.name)
        return None

    async def results(self, batch_id: str) -> list[Result] | None:
        """Read the inlined answers of a batch that is over."""
        sdk = await self._adapter.sdk()
        with self._explain():
            batch = await sdk.aio.batches.get(name=batch_id)
        state = batch.state.name if batch.state else ""
        if state in ("JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"):
            raise _failed(self._base_url, batch_id, state)
        if state not in ("JOB_STATE_SUCCEEDED", "JOB_STATE_PARTIALLY_SUCCEEDED"):
            return None
        found: list[Result] = []
        for line in (batch.dest.inlined_responses if batch.dest else None) or []:
            key = str((line.metadata or {}).get("key", ""))
            payload = line.response.model_dump(mode="json", by_alias=True, exclude_none=True) if line.response else None
            found.append(Result(key, payload, str(line.error.message) if line.error else ""))
        return found

    def parse(self, payload: JsonObject, request: ChatRequest) -> ChatResponse:
        """Read an answer."""
        return gemini.parse_response(payload, request)

    async def aclose(self) -> None:
        """Close connections."""
        await self._adapter.aclose()

    def _explain(self) -> Any:
        from google.genai import errors

        return _Explain(errors.APIError, self._base_url, self._api_key)


class _Explain:
    """Turns an SDK's errors into ours; the key never shows."""

    def __init__(self, kind: type[Exception], base_url: str, secret: str) -> None:
        self._kind = kind
        self._base_url = base_url
        self._secret = secret

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import aiohttp

        if isinstance(error, (self._kind, aiohttp.ClientError, TimeoutError)):
            said = " ".join(str(error).replace(self._secret, "***").split())[:300]
            hint = "batches under way go on at the provider; run the same command again to take their answers"
            raise ProviderError(f"{self._base_url}: the batch API failed: {said}", hint=hint) from None


def _failed(base_url: str, batch_id: str, state: str) -> ProviderError:
    return ProviderError(
        f"{base_url}: batch {batch_id} ended as {state}", hint="look at it on the provider's page; the next run sends its requests anew"
    )
