"""Gemini's wire format for the stub: its request bodies to chat bodies and back. Pure functions."""

import re
from typing import Any, cast

from datagen.jsonl import JsonObject

GENERATE = re.compile(r"^/v1(?:beta)?/models/([^/:]+):(generateContent|batchGenerateContent)(?:\?.*)?$")
BATCH = re.compile(r"^/v1(?:beta)?/(batches(?:/[^/?]+)?)(?:\?.*)?$")
_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS"}


def to_chat(body: JsonObject, model: str) -> JsonObject:
    """Return the OpenAI chat body that asks the same.

    Raises:
        KeyError, TypeError: not a request of Gemini.
    """
    system = body.get("systemInstruction") or body.get("system_instruction")
    messages = [{"role": "system", "content": _text(system)}] if system else []
    messages += [{"role": "assistant" if c.get("role") == "model" else "user", "content": _text(c)} for c in body["contents"]]
    config = cast("JsonObject", body.get("generationConfig") or {})
    names = {"temperature": "temperature", "maxOutputTokens": "max_tokens", "seed": "seed"}
    chat: JsonObject = {"model": model, "messages": messages, **{names[k]: v for k, v in config.items() if k in names}}
    if config.get("responseMimeType") == "application/json":
        chat["response_format"] = {"type": "json_object"}
    return chat


def from_chat(answer: JsonObject) -> JsonObject:
    """Return Gemini's form of a chat completion."""
    choice, usage = answer["choices"][0], answer["usage"]
    return {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": choice["message"]["content"]}]},
                "finishReason": _FINISH.get(choice["finish_reason"], "OTHER"),
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": usage["prompt_tokens"],
            "candidatesTokenCount": usage["completion_tokens"],
            "totalTokenCount": usage["total_tokens"],
        },
        "modelVersion": answer["model"],
        "responseId": answer["id"],
    }


def error_body(status: int, body: JsonObject, headers: dict[str, str]) -> JsonObject:
    """Return Gemini's form of an OpenAI error body; a quota becomes a daily one, a wait a ``RetryInfo``."""
    error = cast("JsonObject", body.get("error") or {})
    details: list[JsonObject] = []
    if error.get("code") == "insufficient_quota":
        violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "200"}
        details.append({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]})
    if "Retry-After" in headers:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{headers['Retry-After']}s"})
    value = {"code": status, "message": error.get("message", ""), "status": _STATUS.get(status, "UNKNOWN"), "details": details}
    return {"error": value}


def _text(content: Any) -> str:
    return "".join(str(part.get("text", "")) for part in content["parts"])
