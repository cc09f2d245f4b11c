"""What each training stage does with aligned rows: which it keeps, which it drops, on which it stops.

Stages ``sft``, ``dpo`` and ``rm`` (both load as LLaMA-Factory's ``rm``), ``kto``, ``ppo`` and ``pt``. Texts are checked as the template
``default`` would use them; media are counted against their placeholders as a multimodal template would.

Source: LLaMA-Factory: src/llamafactory/data/processor/*.py, data/formatter.py, data/tool_utils.py
"""

import json
from collections.abc import Sequence
from typing import Any, Literal, cast

from datagen.export.llamafactory.rules.align import Aligned, Crash, Defect, Turn, type_name
from datagen.jsonl import parse_json

Stage = Literal["sft", "dpo", "rm", "kto", "ppo", "pt"]
BATCH = 1000
"""LLaMA-Factory's preprocessing_batch_size: KTO pairs a row with the one before it, and rows are packed, inside a batch only."""


def judge(rows: Sequence[Aligned | Crash], stage: Stage) -> list[Defect | Crash | None]:
    """Return for each row what happens to it: None kept, a :class:`Defect` dropped, a :class:`Crash` stops the run."""
    fates: list[Defect | Crash | None] = []
    for i, row in enumerate(rows):
        if isinstance(row, Crash):
            fates.append(row)
            continue
        try:
            fates.append(_judge(row, stage))
            if stage == "kto" and fates[-1] is None:
                _check_neighbour(rows, i)
        except Crash as crash:
            fates[i:] = [crash]
    return fates


def _judge(row: Aligned, stage: Stage) -> Defect | None:
    if stage == "pt":
        if not row.prompt:
            raise Crash(
                "broken_row", f"a skipped row stops pre-training ({row.defect.message if row.defect else 'no turns'})", "remove the row"
            )
        if not isinstance(row.prompt[0].content, str):
            raise Crash("content_not_text", f"the text must be a string, got {type_name(row.prompt[0].content)}", "write it as text")
        return None
    needed = {"sft": len(row.response) == 1, "ppo": True}.get(stage, len(row.response) >= 2)
    if len(row.prompt) % 2 != 1 or not needed:
        return row.defect or _unfit(row, stage)
    answers = row.response[:1] if stage == "sft" else row.response[:2]
    if stage == "ppo" and len(row.response) != 1:
        answers = []
    if stage == "kto":
        answers = [_labelled_answer(row)]
    for turn in (*row.prompt, *answers):
        _check_turn(turn)
    _check_head(row)
    return None


def _unfit(row: Aligned, stage: Stage) -> Defect:
    if stage == "kto":
        return Defect(
            "label_not_bool",
            "the row has no boolean label; only true and false count",
            "write the label as a JSON bool, list columns.kto_tag",
        )
    if stage in ("dpo", "rm"):
        return Defect("no_pair", "the row has no pair of chosen and rejected answers", "list columns.chosen and columns.rejected")
    if len(row.response) > 1:
        return Defect(
            "two_answers", "the row has a pair of answers where sft needs one", "use stage dpo or kto, or remove the label or pair columns"
        )
    return Defect("turn_count", f"{len(row.prompt)} prompt turns, an odd number is needed", "remove or complete the last turn")


def _labelled_answer(row: Aligned) -> Turn:
    return row.response[0] if row.response[0].content else row.response[1]


def _check_neighbour(rows: Sequence[Aligned | Crash], i: int) -> None:
    start = i - i % BATCH
    before = i - 1 if i > start else min(start + BATCH, len(rows)) - 1
    other = rows[before]
    if isinstance(other, Crash):
        return
    if not other.response or (len(other.response) == 1 and not other.response[0].content):
        message = f"row {before} has no answer and KTO pairs it with this row: the run stops with an IndexError"
        raise Crash("kto_neighbour", message, f"remove or repair row {before}")
    _check_turn(_labelled_answer(other) if len(other.response) > 1 else other.response[0])


def _check_turn(turn: Turn) -> None:
    if not isinstance(turn.content, str):
        message = f"the text of a {turn.role} turn must be a string, got {type_name(turn.content)}"
        raise Crash("content_not_text", message, 'write it as text, "" if there is none')
    if turn.role == "function":
        _check_call(turn.content)


def _check_call(text: str) -> None:
    fix = 'write {"name": ..., "arguments": {...}} as JSON text'
    try:
        calls = _calls(text)
    except json.JSONDecodeError as error:
        raise Crash("call_not_json", f"a function call must be JSON: {error.msg} (character {error.pos})", fix) from error
    for call in calls:
        if not isinstance(call, dict) or "name" not in call or "arguments" not in call:
            raise Crash("call_incomplete", "a function call needs 'name' and 'arguments'", fix)


def _calls(text: str) -> list[object]:
    body = text
    if "<tool_call>" in text and "</tool_call>" in text.split("<tool_call>", 1)[1]:
        body = text.split("<tool_call>", 1)[1].split("</tool_call>", 1)[0]
    elif "<think>\n" in text and "\n</think>\n\n" in text.split("<think>\n", 1)[1]:
        head, rest = text.split("<think>\n", 1)
        body = head + rest.split("\n</think>\n\n", 1)[1]
    value = parse_json(body)
    return cast("list[object]", value) if isinstance(value, list) else [value]


def _check_head(row: Aligned) -> None:
    if row.system and not isinstance(row.system, str):
        raise Crash("system_not_text", f"the system prompt must be text, got {type_name(row.system)}", "write it as text")
    if row.tools:
        _check_tools(row.tools)
    if not any(row.media):
        return
    texts = "".join(turn.content for turn in row.prompt if isinstance(turn.content, str))
    for name, media in zip(("image", "video", "audio"), row.media, strict=True):
        n_media = len(cast("list[object]", media)) if isinstance(media, list) else int(media is not None)
        n_marks = texts.count(f"<{name}>") + sum(str(turn.content).count(f"<{name}>") for turn in row.response[:1])
        if n_media and n_media != n_marks:
            message = f"{n_media} {name} files but {n_marks} <{name}> placeholders; a multimodal template stops on it"
            raise Crash("media_count", message, f"write one <{name}> in the text for each file")


def _check_tools(tools: object) -> None:
    fix = 'write a JSON list of {"name", "description", "parameters": {"type": "object", "properties": {...}}} as text'
    if not isinstance(tools, str):
        raise Crash("tools_not_text", f"tools must be JSON text, got {type_name(tools)}", fix)
    try:
        value: Any = parse_json(tools)
    except json.JSONDecodeError as error:
        raise Crash("tools_not_json", f"tools is not valid JSON: {error.msg} (character {error.pos})", fix) from error
    if not isinstance(value, list):
        if isinstance(value, (dict, str)) and not value:
            return
        raise Crash("tools_not_list", f"tools must hold a JSON list, got {type_name(value)}", fix)
    for tool in cast("list[Any]", value):
        inner = tool.get("function", "") if isinstance(tool, dict) and tool.get("type") == "function" else tool
        try:
            properties = inner["parameters"]["properties"]
            if not isinstance(inner["name"], str) or not all(isinstance(p, dict) for p in properties.values()):
                raise TypeError
            for parameter in properties.values():
                ", ".join(parameter.get("enum") or [])
        except (KeyError, TypeError, AttributeError) as error:
            raise Crash(
                "tool_incomplete", "a tool needs name and parameters.properties (an object of objects; enum: texts)", fix
            ) from error
