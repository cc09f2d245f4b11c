"""OpenAI fine-tuning files: chat rows for supervised tuning, pairs for preference tuning, and OpenAI's limits checked before an upload.

Limits, looked up 2026-11-24 in what others print of OpenAI's pages (the pages themselves were out of reach here): at least 10 examples
(community.openai.com/t/762836); 512 MB a file (API reference, "upload file"; w3cschool.cn/openai_api); 65,536 tokens an example for
gpt-4o and gpt-4o-mini (MicrosoftDocs/azure-ai-docs, fine-tune-models.md); 128 functions (the OpenAPI schema FineTuneChatRequestInput).
From memory only: function names of 64 characters; the same token limit for gpt-4.1. Tokens are estimated (``text.estimate_tokens``), so a
row near the limit is ``bad`` and only one far over it is refused.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from datagen.errors import DataError
from datagen.export.findings import Finding
from datagen.jsonl import JsonObject
from datagen.schemas.openai_chat import write_openai
from datagen.schemas.record import ConversationRecord, PreferenceRecord, Record
from datagen.schemas.sample import Sample
from datagen.text import estimate_tokens

MIN_EXAMPLES = 10
MAX_FILE_BYTES = 512 * 2**20
MAX_EXAMPLE_TOKENS = 65_536
MAX_TOOLS = 128
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ESTIMATE_ERROR = 1.3


def openai_rows(samples: Sequence[Sample]) -> list[JsonObject]:
    """Return one row a sample: ``{"messages", "tools"?}``, or ``{"input", "preferred_output", "non_preferred_output"}`` for pairs.

    Raises:
        DataError: a sample of another kind, or one with media: names its position and id.
    """
    return [_row(sample, position) for position, sample in enumerate(samples, 1)]


def openai_findings(rows: Sequence[JsonObject], name: str, n_bytes: int) -> list[Finding]:
    """Check rows against OpenAI's limits; ``crash`` means that the upload or the job is refused."""
    found: list[Finding] = []
    if len(rows) < MIN_EXAMPLES:
        message = f"{len(rows)} examples; OpenAI wants {MIN_EXAMPLES} at least"
        found.append(Finding(name, None, "too_few_examples", "crash", message, "add rows; 50 to 100 show a first effect"))
    if n_bytes > MAX_FILE_BYTES:
        message = f"{n_bytes / 2**20:,.0f} MiB; OpenAI takes {MAX_FILE_BYTES // 2**20} MiB a file"
        found.append(Finding(name, None, "file_too_large", "crash", message, "split the file"))
    for i, row in enumerate(rows):
        found += [Finding(name, i, code, severity, message, fix, i + 1) for code, severity, message, fix in _row_findings(row)]
    return found


def _row(sample: Sample, position: int) -> JsonObject:
    record: Record = sample.record
    where = f"sample {position} ({sample.id[:12]})"
    if isinstance(record, ConversationRecord | PreferenceRecord) and record.media != type(record.media)():
        raise DataError(f"{where} has media files, which this export does not carry", hint="remove the row, or its media")
    if isinstance(record, ConversationRecord):
        return write_openai(record)
    if not isinstance(record, PreferenceRecord):
        raise DataError(f"{where} is a {record.kind} record; OpenAI fine-tuning takes conversations and preference pairs")
    asked = write_openai(ConversationRecord(messages=record.prompt, persona=record.persona, tools=record.tools))
    answers = [write_openai(ConversationRecord(messages=(answer,)))["messages"] for answer in (record.chosen, record.rejected)]
    # One shape for all rows: "tools" stands in every input, as in OpenAI's own example.
    head = {"messages": asked["messages"], "tools": asked.get("tools", []), "parallel_tool_calls": True}
    return {"input": head, "preferred_output": answers[0], "non_preferred_output": answers[1]}


def _row_findings(row: JsonObject) -> Iterator[tuple[str, Any, str, str]]:
    pair = "input" in row
    head = cast("JsonObject", row["input"] if pair else row)
    messages = cast("list[JsonObject]", head["messages"])
    endings = [row["preferred_output"], row["non_preferred_output"]] if pair else []
    roles = [message["role"] for message in messages]
    if not pair and (not roles or roles[-1] != "assistant"):
        yield (
            "no_last_answer",
            "crash",
            f"the last message is {roles[-1] if roles else 'missing'}, not assistant",
            "end with the answer to learn",
        )
    if pair and roles[-1:] == ["assistant"]:
        yield "answer_in_input", "crash", "the input ends with an assistant message", "end the prompt with the user"
    if "system" in roles[1:]:
        yield "system_not_first", "bad", "a system message stands after the first message", "put it first"
    for message in [*messages, *(answer for ending in endings for answer in ending)]:
        if message["role"] == "assistant" and not str(message["content"]).strip() and not message.get("tool_calls"):
            yield "empty_answer", "bad", "an assistant message is empty", "write the answer or remove the row"
            break
    yield from _tool_findings(messages, head.get("tools", []))
    tokens = estimate_tokens(json.dumps(row, ensure_ascii=False))
    if tokens > MAX_EXAMPLE_TOKENS / _ESTIMATE_ERROR:
        severity = "crash" if tokens > MAX_EXAMPLE_TOKENS * _ESTIMATE_ERROR else "bad"
        yield "too_many_tokens", severity, f"about {tokens:,} tokens; OpenAI cuts or refuses over {MAX_EXAMPLE_TOKENS:,}", "shorten the row"


def _tool_findings(messages: Sequence[JsonObject], tools: Sequence[JsonObject]) -> Iterator[tuple[str, Any, str, str]]:
    offered = [str(tool.get("function", tool).get("name", "")) for tool in tools]
    if len(tools) > MAX_TOOLS:
        yield "too_many_tools", "crash", f"{len(tools)} tools; OpenAI takes {MAX_TOOLS}", "offer fewer"
    called: set[str] = set()
    for message in messages:
        for call in message.get("tool_calls", []):
            called.add(call["id"])
            if offered and call["function"]["name"] not in offered:
                yield "unknown_tool", "bad", f"{call['function']['name']!r} is called but not among the tools", "add it to tools"
        if message["role"] == "tool" and message.get("tool_call_id") not in called:
            yield "result_without_call", "crash", "a tool message answers no call", "put the call before it"
    for name in offered:
        if not _NAME.fullmatch(name):
            yield "tool_name", "crash", f"{name!r} cannot name a function", "use 1 to 64 letters, digits, _ and -"
