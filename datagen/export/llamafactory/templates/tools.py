"""How a template writes the list of tools into the system text, and a function call into an answer.

The texts are what the models were trained on. Arguments that cannot be written are refused by the rules before (``tools_not_json``, ...).

Source: LLaMA-Factory 0.9.5: src/llamafactory/data/tool_utils.py, data/formatter.py FunctionFormatter
"""

import json
import re
from datetime import date
from typing import Any, cast

from datagen.export.llamafactory.templates.spec import ToolFormat
from datagen.jsonl import JsonObject

THOUGHT_START, THOUGHT_END = "<think>\n", "\n</think>\n\n"
THOUGHT = re.compile(f"{re.escape(THOUGHT_START)}(.*?){re.escape(THOUGHT_END)}", re.DOTALL)
_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def tools_text(tools: str, tool_format: ToolFormat, *, today: date | None = None) -> str:
    """Return the text that describes the tools of a row; '' for none. ``today`` goes into the llama3 format (default: today)."""
    items: list[JsonObject] = json.loads(tools)
    if not items:
        return ""
    wrapped = [tool if tool.get("type") == "function" else {"type": "function", "function": tool} for tool in items]
    match tool_format:
        case "qwen":
            listed = "".join("\n" + json.dumps(tool, ensure_ascii=False) for tool in wrapped)
            return (
                "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
                f"You are provided with function signatures within <tools></tools> XML tags:\n<tools>{listed}\n</tools>\n\n"
                "For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n"
                '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
            )
        case "llama3":
            listed = "".join(json.dumps(tool, indent=4, ensure_ascii=False) + "\n\n" for tool in wrapped)
            day = today or date.today()
            return (
                f"Cutting Knowledge Date: December 2023\nToday Date: {day.day:02d} {_MONTHS[day.month - 1]} {day.year}\n\n"
                "You have access to the following functions. To call a function, please respond with JSON for a function call. "
                'Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}. '
                f"Do not use variables.\n\n{listed}"
            )
        case "mistral":
            return f"[AVAILABLE_TOOLS] {json.dumps(wrapped, ensure_ascii=False)}[/AVAILABLE_TOOLS]"
        case "default":
            return _default_tools(items)


def calls_text(content: str, tool_format: ToolFormat, *, looks_for_calls: bool) -> str:
    """Return a ``function_call`` turn as the template writes it.

    Args:
        content: JSON of a call or a list of calls, after optional thought, or ``text<tool_call>{json}</tool_call>``.
        tool_format: the template's.
        looks_for_calls: False for templates that fuse the system text: they read the turn as JSON only.
    """
    head, body = "", content
    if looks_for_calls and (match := _CALL.search(content)):
        head, body = content.replace(match.group(0), ""), match.group(1)
    elif looks_for_calls and (match := THOUGHT.search(content)):
        head, body = match.group(0), content.replace(match.group(0), "")
    parsed: Any = json.loads(body)
    calls = cast("list[JsonObject]", parsed if isinstance(parsed, list) else [parsed])
    return head + _calls([(str(call["name"]), call["arguments"]) for call in calls], tool_format)


def _calls(calls: list[tuple[str, Any]], tool_format: ToolFormat) -> str:
    if tool_format == "default":
        return "\n".join(f"Action: {name}\nAction Input: {json.dumps(arguments, ensure_ascii=False)}" for name, arguments in calls)
    key = "parameters" if tool_format == "llama3" else "arguments"
    objects = [{"name": name, key: arguments} for name, arguments in calls]
    if tool_format == "qwen":
        return "\n".join(f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>" for call in objects)
    if tool_format == "llama3":
        return json.dumps(objects[0] if len(objects) == 1 else objects, ensure_ascii=False)
    return json.dumps(objects, ensure_ascii=False)


def _default_tools(items: list[JsonObject]) -> str:
    listed, names = "", list[str]()
    for item in items:
        tool: JsonObject = item["function"] if item.get("type") == "function" else item
        required = tool["parameters"].get("required", [])
        described = ""
        for name, parameter in cast("JsonObject", tool["parameters"]["properties"]).items():
            need = ", required" if name in required else ""
            choice = f", should be one of [{', '.join(parameter['enum'])}]" if parameter.get("enum") else ""
            each = f", where each item should be {parameter['items'].get('type', '')}" if parameter.get("items") else ""
            described += f"  - {name} ({parameter.get('type', '')}{need}): {parameter.get('description', '')}{choice}{each}\n"
        listed += f"> Tool Name: {tool['name']}\nTool Description: {tool.get('description', '')}\nTool Args:\n{described}\n"
        names.append(str(tool["name"]))
    return (
        f"You have access to the following tools:\n{listed}Use the following format if using a tool:\n```\n"
        f"Action: tool name (one of [{', '.join(names)}])\n"
        "Action Input: the input to the tool, in a JSON format representing the kwargs "
        '(e.g. ```{"input": "hello world", "num_beams": 5}```)\n```\n'
    )
