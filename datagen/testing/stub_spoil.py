"""The stub's faults of content: one item of an answer made wrong in one known way, whatever the form of the answer.

``ungrounded``: the first quote is invented. ``wrong_number``: the last answer states numbers of its own. ``wrong_language``: the first
question is in the other language. ``copied``: the first answer repeats its question. ``duplicate``: the first item that says
anything comes twice.
``slight_number``: one number of the last answer that has one is raised until its quote does not hold it. ``foreign_answer``: the first
answer is a sentence in the other language. ``reworded`` is no defect: all answers say their numbers in another way (百分之五十, 6 pm).
"""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

from datagen.jsonl import JsonObject

QUOTES, QUESTIONS, ANSWERS = ("evidence", "quotes"), ("question", "harder_question", "new_question"), ("answer", "new_answer")
_NUMBER = re.compile(r"\d+")
_INVENTED = {"zh": "本店为每位客人赠送一头会唱歌的大象。", "en": "Every guest is given a singing elephant on arrival."}
_FOREIGN = {"zh": "What exactly does the rule say about this?", "en": "这一条具体是怎么规定的，请详细说明？"}
_FOREIGN_ANSWER = {
    "zh": "Please ask at the front desk, they will be happy to help you with this.",
    "en": "这一项可以在前台办理，请提前告知工作人员。",
}

Planted = tuple[str, JsonObject]
"""A fault that struck, and the object it struck, as answered."""


def spoil(items: list[JsonObject], language: Literal["zh", "en"], strikes: Callable[[str], bool]) -> list[Planted]:
    """Apply the faults that strike to the items, in place; a fault whose key the form does not have changes nothing.

    Args:
        items: of one answer.
        language: of the passage.
        strikes: whether the fault of a name strikes this answer.

    Returns:
        What was planted, in the order of the faults.
    """
    nodes = list(_nodes(items))
    struck: list[Planted] = []
    if strikes("reworded"):
        for node in nodes:
            if key := _key(node, ANSWERS):
                node[key] = reworded(str(node[key]), language)
    if (node := _first(nodes, QUOTES)) and strikes("ungrounded"):
        key = _key(node, QUOTES)
        node[key] = [_INVENTED[language]] if isinstance(node[key], list) else _INVENTED[language]
        struck.append(("ungrounded", node))
    if (node := _first(nodes[::-1], ANSWERS)) and strikes("wrong_number"):
        key = _key(node, ANSWERS)
        node[key] = _NUMBER.sub(lambda m: str(int(m.group()) + 7), str(node[key])) + " (987654)"
        struck.append(("wrong_number", node))
    if (node := _first(nodes, QUESTIONS)) and strikes("wrong_language"):
        node[_key(node, QUESTIONS)] = _FOREIGN[language]
        struck.append(("wrong_language", node))
    pair = next((node for node in nodes if _key(node, QUESTIONS) and _key(node, ANSWERS)), None)
    if pair and strikes("copied"):
        pair[_key(pair, ANSWERS)] = pair[_key(pair, QUESTIONS)]
        struck.append(("copied", pair))
    if (node := _first(nodes, ANSWERS)) and strikes("foreign_answer"):
        node[_key(node, ANSWERS)] = _FOREIGN_ANSWER[language]
        struck.append(("foreign_answer", node))
    numbered = next((node for node in nodes[::-1] if _NUMBER.search(str(node.get(_key(node, ANSWERS), "")))), None)
    if numbered and strikes("slight_number"):
        key = _key(numbered, ANSWERS)
        numbered[key] = _raised(str(numbered[key]))
        struck.append(("slight_number", numbered))
    telling = next((item for item in items if any(isinstance(value, str | list) and value for value in item.values())), None)
    if telling and strikes("duplicate"):
        items.append(copy.deepcopy(telling))
        struck.append(("duplicate", telling))
    return struck


def reworded(text: str, language: Literal["zh", "en"]) -> str:
    """Return the text with its numbers said in another way; they mean the same."""
    if language == "zh":
        text = re.sub(r"(?<!\d)(\d{1,2}):00(?!\d)", r"\1点", text)
        text = re.sub(r"(\d+(?:\.\d+)?)%", r"百分之\1", text)
        return re.sub(r"(?<![\d.:：])([3-9]) ?(?=天|个|间|次|位|晚)", lambda m: "零一二三四五六七八九"[int(m.group(1))], text)
    text = re.sub(r"(?<!\d)(1[3-9]|2[0-3]):00(?!\d)", lambda m: f"{int(m.group(1)) - 12} pm", text)
    text = re.sub(r"(\d+(?:\.\d+)?)%", r"\1 percent", text)
    words = ("", "", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return re.sub(r"(?<![\d.:,/-])\b([2-9])(?= (?:days|hours|nights|guests|rooms|weeks|years)\b)", lambda m: words[int(m.group(1))], text)


def _raised(text: str) -> str:
    """Raise the first number until the text did not hold it."""
    match = _NUMBER.search(text)
    assert match is not None
    known = {int(n) for n in _NUMBER.findall(text)}
    value = int(match.group()) + 1
    while value in known:
        value += 1
    return f"{text[: match.start()]}{value}{text[match.end() :]}"


def _nodes(value: object) -> Iterator[JsonObject]:
    """Yield the innermost objects that hold texts, in order."""
    if isinstance(value, list):
        for entry in cast("list[Any]", value):
            yield from _nodes(entry)
    elif isinstance(value, dict):
        node = cast("JsonObject", value)
        if any(isinstance(entry, list) and entry and isinstance(entry[0], dict) for entry in node.values()):
            for entry in node.values():
                yield from _nodes(entry)
        else:
            yield node


def _key(node: JsonObject, keys: tuple[str, ...]) -> str:
    return next((key for key in keys if node.get(key)), "")


def _first(nodes: list[JsonObject], keys: tuple[str, ...]) -> JsonObject | None:
    return next((node for node in nodes if _key(node, keys)), None)
