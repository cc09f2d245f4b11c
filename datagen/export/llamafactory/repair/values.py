"""Repairs of one row in canonical names: what can be set right without inventing content, each with its name.

Nothing is guessed: texts are only retyped, joined or unwrapped. What would need content (a missing answer, an unknown role) is left as
it is; the row then fails its check and is left out with that reason.
"""

import json
from collections.abc import Callable
from typing import Any, cast

from datagen.jsonl import JsonObject, parse_json
from datagen.schemas.detect import RowFormat

Changed = Callable[[str, str], None]
_TEXT_COLUMNS = ("instruction", "input", "output", "system", "text", "chosen", "rejected")
_OPTIONAL = {"input": "", "system": "", "tools": "", "history": [], "images": [], "videos": [], "audios": []}
_BOOLS: dict[object, bool] = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False, 1: True, 0: False}
_QUESTIONS = frozenset(("question", "prompt", "instruction", "query", "user", "human", "问", "问题", "用户"))
_REPLIES = frozenset(("answer", "response", "output", "completion", "assistant", "gpt", "bot", "答", "回答", "答案", "助手"))
_ANSWERS, _ASKERS = ("gpt", "function_call"), ("human", "observation")


def repair_row(row: JsonObject, format: RowFormat, changed: Changed) -> JsonObject:
    """Return a repaired copy; ``changed(code, message)`` is called for each thing set right."""
    fixed = {key: value for key, value in row.items() if not (value is None and key in _OPTIONAL)}
    if len(fixed) < len(row):
        changed("null_column", "null in an optional column became empty")
    for column in _TEXT_COLUMNS:
        if column in fixed and column not in ("chosen", "rejected"):
            fixed[column] = _text(fixed[column], column, changed)
    if "tools" in fixed:
        fixed["tools"] = _tools(fixed["tools"], changed)
    if "kto_tag" in fixed and not isinstance(fixed["kto_tag"], bool):
        fixed["kto_tag"] = _label(fixed["kto_tag"], changed)
    if "history" in fixed:
        fixed["history"] = _history(fixed["history"], changed)
    if isinstance(fixed.get("conversations"), list):
        fixed["conversations"] = _turns(cast("list[object]", fixed["conversations"]), format, changed)
    if format in ("preference", "preference_alpaca"):
        for column in ("chosen", "rejected"):
            fixed[column] = _answer(fixed.get(column), format, changed)
    return fixed


def _text(value: object, column: str, changed: Changed) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        changed("number_as_text", f"the number in '{column}' became text")
        return json.dumps(value)
    return value


def _tools(value: object, changed: Changed) -> object:
    if isinstance(value, list | dict):
        changed("tools_as_text", "tools became JSON text")
        return json.dumps(value if isinstance(value, list) else [value], ensure_ascii=False)
    if isinstance(value, str) and value and not value.strip():
        changed("tools_blank", "blank tools became empty")
        return ""
    return value


def _label(value: object, changed: Changed) -> object:
    key = value.strip().lower() if isinstance(value, str) else value
    if isinstance(key, str | int | float) and key in _BOOLS:
        changed("label_as_bool", f"the label {value!r} became a JSON bool")
        return _BOOLS[key]
    return value


def _history(value: object, changed: Changed) -> object:
    if not isinstance(value, list):
        return value
    pairs: list[object] = []
    for item in cast("list[object]", value):
        fields = cast("JsonObject", item) if isinstance(item, dict) else {}
        asked, said = fields.keys() & _QUESTIONS, fields.keys() & _REPLIES
        # Only keys that say which is which: {"role", "content"} is half a pair, and order alone says nothing.
        if len(fields) == 2 and asked and said:
            changed("history_pair", "an object in history became a [question, answer] pair")
            pairs.append([fields[asked.pop()], fields[said.pop()]])
        else:
            pairs.append(item)
    return pairs


def _turns(turns: list[object], format: RowFormat, changed: Changed) -> list[object]:
    out: list[JsonObject] = []
    for turn in turns:
        if not isinstance(turn, dict):
            return turns
        fields = dict(cast("JsonObject", turn))
        if "value" in fields:
            fields["value"] = _text(fields["value"], "value", changed)
        if fields.get("from") == "function_call" and isinstance(call := fields.get("value"), str):
            fields["value"] = _call(call, changed)
        last = out[-1] if out else None
        joins = fields.get("from") in ("human", "gpt") and last is not None and last.get("from") == fields.get("from")
        texts = (last.get("value") if last else None, fields.get("value"))
        if last is not None and joins and isinstance(texts[0], str) and isinstance(texts[1], str):
            changed("turns_joined", f"two {fields['from']} turns in a row became one")
            last["value"] = f"{texts[0]}\n\n{texts[1]}"
        else:
            out.append(fields)
    ends = _ANSWERS if format in ("sharegpt", "kto") else _ASKERS if format == "preference" else ()
    while ends and len(out) > 1 and out[-1].get("from") in {*_ANSWERS, *_ASKERS} - set(ends):
        changed("last_turn_removed", f"the last turn, of {out[-1].get('from')}, was removed: there is nothing after it to learn")
        out.pop()
    return cast("list[object]", out)


def _call(value: str, changed: Changed) -> str:
    """Turn arguments given as JSON text into objects, and absent ones into ``{}``."""
    try:
        parsed: Any = parse_json(value)
    except json.JSONDecodeError:
        return value
    calls = cast("list[Any]", parsed if isinstance(parsed, list) else [parsed])
    touched = False
    for call in calls:
        if not isinstance(call, dict) or "name" not in call:
            return value
        arguments = cast("JsonObject", call).get("arguments")
        if arguments is None:
            call["arguments"] = {}
            touched = True
        elif isinstance(arguments, str):
            try:
                call["arguments"] = parse_json(arguments or "{}")
            except json.JSONDecodeError:
                return value
            touched = True
    if not touched:
        return value
    changed("call_arguments", "arguments of a call became a JSON object")
    return json.dumps(parsed, ensure_ascii=False)


def _answer(value: object, format: RowFormat, changed: Changed) -> object:
    """Bring chosen or rejected into the layout: a turn (ShareGPT) or a text (Alpaca); the last turn of a list of turns."""
    if isinstance(value, list) and value:
        turn = cast("list[object]", value)[-1]
        if isinstance(turn, dict):
            changed("pair_unwrapped", "chosen or rejected was a list of turns; its last turn is kept")
            value = cast("object", turn)
    if format == "preference" and isinstance(value, str):
        changed("pair_as_turn", "chosen or rejected became a turn")
        return {"from": "gpt", "value": value}
    if format == "preference_alpaca" and isinstance(value, dict):
        fields = cast("JsonObject", value)
        changed("pair_as_text", "chosen or rejected became text")
        return fields.get("value", fields.get("content"))
    return value
