"""Gemini through google-generativeai, the SDK that Google no longer maintains; an opt-in extra for those who cannot leave it.

The pure pair is that of ``gemini``, adapted: the old SDK takes no JSON Schema with ``additionalProperties``, so a schema is asked for as
``application/json`` only, and the prompt's words say the rest. Its REST transport has no async form, so a call takes a thread.
"""

import asyncio
import importlib
import json
from typing import Any

from datagen.clients.gemini import build_request, explain_error, parse_response
from datagen.clients.types import ChatRequest, Exchange, ExchangeFailed
from datagen.clients.wire import HINT_DOWN
from datagen.errors import MissingExtra
from datagen.jsonl import JsonObject


def build_legacy(request: ChatRequest) -> tuple[JsonObject, JsonObject]:
    """Return the keyword arguments of ``GenerativeModel`` and those of its ``generate_content``."""
    built = build_request(request)
    config: JsonObject = dict(built["config"])
    model: JsonObject = {"model_name": built["model"]}
    if system := config.pop("system_instruction", None):
        model["system_instruction"] = system
    config.pop("response_json_schema", None)
    config.pop("seed", None)
    return model, {"contents": built["contents"], "generation_config": config}


class GeminiLegacy:
    """Adapter over google-generativeai.

    Raises:
        MissingExtra: the SDK is not installed.
    """

    def __init__(self, base_url: str, api_key: str, *, timeout_s: float) -> None:
        try:
            self._sdk: Any = importlib.import_module("google.generativeai")
        except ImportError as error:
            raise MissingExtra.of("gemini-legacy: models", "gemini-legacy") from error
        self._base_url = base_url
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._sdk.configure(api_key=api_key, transport="rest", client_options={"api_endpoint": base_url})

    def __repr__(self) -> str:
        return f"GeminiLegacy({self._base_url!r})"

    async def send(self, request: ChatRequest) -> Exchange:
        """Send one request from a thread of its own."""
        return Exchange(await asyncio.to_thread(self._send, request))

    async def aclose(self) -> None:
        """Nothing to close: the SDK keeps its connections."""

    def _send(self, request: ChatRequest) -> Any:
        # By name: the extra is not installed where this is checked.
        requests = importlib.import_module("requests.exceptions")
        exceptions, retry = (importlib.import_module(f"google.api_core.{name}") for name in ("exceptions", "retry"))
        model, call = build_legacy(request)
        # Without an own retry object the SDK retries by itself.
        options = {"timeout": self._timeout_s, "retry": retry.Retry(predicate=_never)}
        name = f"{self._base_url} (model {request.model})"
        try:
            answer = self._sdk.GenerativeModel(**model).generate_content(**call, request_options=options)
        except exceptions.GoogleAPICallError as error:
            body = _body(error)
            raise explain_error(int(error.code or 0), body, request, self._api_key) from None
        except requests.Timeout as error:
            message = f"{name} gave no answer within {self._timeout_s:g} s"
            raise ExchangeFailed(message, hint=HINT_DOWN, kind="unavailable", maybe_billed=True) from error
        except (requests.RequestException, exceptions.RetryError) as error:
            message = f"{name} does not answer ({type(error).__name__})"
            raise ExchangeFailed(message, hint=HINT_DOWN, kind="unavailable", maybe_billed=True) from error
        return parse_response(_payload(answer), request)


def _never(error: object) -> bool:
    return False


def _payload(answer: Any) -> JsonObject:
    """Return an answer in the wire's form; the SDK's ``to_dict`` writes snake case and may write enums as numbers."""
    to_json = importlib.import_module("google.protobuf.json_format").MessageToJson
    return json.loads(to_json(type(answer._result).pb(answer._result)))


def _body(error: Any) -> JsonObject:
    """Return an API error in the wire's form. The old SDK turns details into messages of its own; what they say is kept as text."""
    details = " ".join(str(d) for d in getattr(error, "details", None) or [])
    return {"error": {"message": f"{getattr(error, 'message', error)} {details}".strip()}}
