"""One row through LLaMA-Factory's converter for formatting ``openai``, which edits what it reads.

A call of an assistant turn replaces its text; results of tools in a row become one turn, and those at the end vanish; every system prompt
gets ``detailed thinking off`` added, or a line end where there are tools. An unknown role stops the run.

Source: LLaMA-Factory 0.9.5: src/llamafactory/data/converter.py OpenAIDatasetConverter
"""

import json
from typing import cast

from datagen.export.llamafactory.registry.entry import Entry
from datagen.export.llamafactory.rules.align import Aligned, Crash, Defect, Turn, field_of, finish, take_system, turns_of
from datagen.jsonl import JsonObject
from datagen.schemas.fields import TOOL_RESULT_JOINT

_QUIET = "detailed thinking off"
_ODD, _EVEN = ("user", "observation"), ("assistant", "function")


def align_openai(row: JsonObject, entry: Entry) -> Aligned:
    """Align a row of formatting ``openai``.

    Raises:
        Crash: no list of turns, missing tags in the entry, an unknown role, or calls that are not OpenAI's.
    """
    row = {entry.column(name): "" for name in ("system", "tools") if entry.column(name)} | row
    turns = turns_of(row, entry)
    system, turns = take_system(row, entry, turns)
    prompt = _turns(turns, entry)
    wrong = next((i for i, turn in enumerate(prompt) if turn.role not in (_ODD, _EVEN)[i % 2]), None)
    defect = None
    if wrong is not None:
        wanted = " or ".join((_ODD, _EVEN)[wrong % 2])
        fix = "alternate user and assistant turns; put a system turn first"
        defect = Defect("role_order", f"turn {wrong + 1} is of the {prompt[wrong].role} where {wanted} is needed", fix)
    aligned = finish(row, entry, prompt, "", defect)
    if isinstance(aligned.tools, dict | list):
        aligned.tools = json.dumps(aligned.tools, ensure_ascii=False)
    aligned.system = _system(system, has_tools=bool(aligned.tools))
    return aligned


def _turns(turns: list[object], entry: Entry) -> list[Turn]:
    tags = {kind: entry.tag(f"{kind}_tag") for kind in ("user", "assistant", "observation", "function", "system")}
    names = {tag: kind for kind, tag in tags.items()}
    aligned: list[Turn] = []
    results: list[object] = []
    for turn in turns:
        role, content = field_of(turn, entry, "role_tag"), field_of(turn, entry, "content_tag")
        role = "" if role is None else role
        if role in (tags["assistant"], tags["function"]) and (calls := cast("JsonObject", turn).get("tool_calls")):
            role, content = tags["function"], _calls(calls)
        if role == tags["observation"]:
            results.append(content)
            continue
        if results:
            if not all(isinstance(result, str) for result in results):
                raise Crash("content_not_text", "the result of a tool must be text", 'write it as text, "" if there is none')
            aligned.append(Turn("observation", TOOL_RESULT_JOINT.join(cast("list[str]", results))))
            results = []
        if not isinstance(role, str) or role not in names:
            known = ", ".join(repr(tag) for tag in names if tag)
            raise Crash("unknown_role", f"the role {role!r} is unknown to the entry", f"use {known}, or name the role in the entry's tags")
        aligned.append(Turn(names[role], content))
    return aligned


def _calls(calls: object) -> str:
    if not isinstance(calls, list) or not all(isinstance(call, dict) and "function" in call for call in cast("list[object]", calls)):
        raise Crash("call_not_openai", "tool_calls must be a list of objects with 'function'", "write calls as OpenAI does")
    return json.dumps([call["function"] for call in cast("list[JsonObject]", calls)], ensure_ascii=False)


def _system(system: object, *, has_tools: bool) -> object:
    if not system:
        return system if has_tools else _QUIET
    if not isinstance(system, str):
        return system
    if has_tools:
        return f"{system}\n"
    return system if "detailed thinking on" in system or _QUIET in system else f"{system}\n{_QUIET}"
