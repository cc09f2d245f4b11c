"""Runs in a venv that holds google-generativeai: asks a stub, prints what came of it as JSON. ``gemini_legacy_driver.py URL``."""

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datagen.clients import ChatMessage, ChatRequest, Parameters, RetryPolicy, open_client
from datagen.errors import ProviderError


async def main(url: str) -> None:
    client = open_client(f"gemini-legacy:stub@{url}", None, concurrency=8, retry=RetryPolicy(max_failures=3, first_wait_s=0.01))
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}

    async def ask(i: int) -> dict[str, object]:
        messages = (ChatMessage("system", "你是酒店客服。"), ChatMessage("user", f"第 {i} 问"))
        try:
            answer = await client.complete(ChatRequest("gemini-legacy", url, "stub", messages, Parameters(0.5, 64), schema, "a"))
        except ProviderError as error:
            return {"error": error.message}
        return {"text": answer.text, "finish_reason": answer.finish_reason, "tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out}

    answers = await asyncio.gather(*(ask(i) for i in range(10)))
    await client.aclose()
    sys.stdout.write(json.dumps(answers) + "\n")


asyncio.run(main(sys.argv[1]))
