"""The stub's faults of content: one item of an answer made wrong in one known way, whatever the form of the answer.

``ungrounded``: the first quote is invented. ``wrong_number``: the last answer states numbers of its own. ``wrong_language``: the first
question is in the other language. ``copied``: the first answer repeats its question. ``duplicate``: the first item comes twice.
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


def spoil(items: list[JsonObject], language: Literal["zh", "en"], strikes: Callable[[str], bool]) -> None:
    """Apply the faults that strike to the items, in place; a fault whose key the form does not have changes nothing.

    Args:
        items: of one answer.
        language: of the passage.
        strikes: whether the fault of a name strikes this answer.
    """
    nodes = list(_nodes(items))
    if (node := _first(nodes, QUOTES)) and strikes("ungrounded"):
        key = _key(node, QUOTES)
        node[key] = [_INVENTED[language]] if isinstance(node[key], list) else _INVENTED[language]
    if (node := _first(nodes[::-1], ANSWERS)) and strikes("wrong_number"):
        key = _key(node, ANSWERS)
        node[key] = _NUMBER.sub(lambda m: str(int(m.group()) + 7), str(node[key])) + " (987654)"
    if (node := _first(nodes, QUESTIONS)) and strikes("wrong_language"):
        node[_key(node, QUESTIONS)] = _FOREIGN[language]
    pair = next((node for node in nodes if _key(node, QUESTIONS) and _key(node, ANSWERS)), None)
    if pair and strikes("copied"):
        pair[_key(pair, ANSWERS)] = pair[_key(pair, QUESTIONS)]
    if items and strikes("duplicate"):
        items.append(copy.deepcopy(items[0]))


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
