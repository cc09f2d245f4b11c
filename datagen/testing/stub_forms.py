"""How the stub fills the form a prompt ends with (``Form: {"items": [...]}``): a value for each key, made of the passage's sentences.

What a key holds is the same in all prompts: ``evidence`` and ``quotes`` are sentences of the passage, ``answer`` says one of them,
``question`` asks about its beginning, ``number`` counts the numbered lines the prompt gave. A value the form shows (``"factual"``, ``1``)
is taken over where nothing better is known.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from datagen.jsonl import JsonObject
from datagen.text import detect_language

_FORM = re.compile(r"^(?:Form: |格式：)(\{.*\})\s*$", re.M)
_NUMBERED = re.compile(r"^\d+\. (.*)$", re.M)
_RESTS_ON = re.compile(r"^\s+(?:Rests on: |依据：)(.*)$", re.M)
_OTHER = re.compile(r"<other ([0-9a-z]+)>\n(.*)\n</other \1>", re.S)
_TURNS = re.compile(r"(?:每段\s*(\d+)\s*轮|(\d+) turns each)")
UNASKED = {"zh": "主管经理叫什么名字", "en": "the name of the manager in charge"}
"""What no document says; a question with these words has no answer."""
_TASKS = {
    "zh": ("请向新员工解释：{about}。", "把{about}的规定写成一条提醒。", "{about}，请列出要点。", "针对{about}给客人一个建议。"),
    "en": (
        "Explain to a new colleague: {about}.",
        "Write a short reminder on {about}.",
        "List the key points of {about}.",
        "Advise a guest on {about}.",
    ),
}
_FURTHER = {"zh": "那么{about}呢？", "en": "And what about {about}?"}
_HARDER = {
    "zh": "一位第一次入住的客人在前台问起“{about}”，按规定应当怎样处理？",
    "en": "A first-time guest at the desk brings up {about}; how is this handled by the rules?",
}
_MISSING = {"zh": "负责“{about}”的主管经理叫什么名字？", "en": "What is the name of the manager in charge of {about}?"}
_REFUSAL = {
    "zh": "关于“{about}”由谁主管，现有规定没有写明，建议向前台核实。",
    "en": "The rules do not state who is in charge of {about}; please ask the front desk.",
}
_ANEW = {"zh": "按照规定：{sentence}", "en": "By the rules, this holds: {sentence}"}
_ROLES = {
    "zh": ("新员工", "投诉的客人", "审计人员", "旅行社计调", "值班经理", "带孩子的家长", "商务旅客", "财务人员", "培训师", "外籍客人"),
    "en": ("new employee", "guest with a complaint", "auditor", "tour operator", "duty manager", "parent", "business traveller", "clerk"),
}
_STUDIES = {
    "zh": ("换种说法复述", "自测", "讲给外行听", "编一个场景", "对比", "按时间排序"),
    "en": ("restate it", "quiz oneself", "explain to an outsider", "make up a case", "contrast", "order in time"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence of the passage, what it is about, and how the prompt's style asks for it."""

    sentence: str
    about: str
    question: str


@dataclass(frozen=True, slots=True)
class Source:
    """What forms are filled from: the prompt without its passage, its language, facts in order, those of a second passage, the style."""

    instructions: str
    language: Literal["zh", "en"]
    facts: Sequence[Fact]
    others: Sequence[Fact]
    style: int


def read_form(prompt: str) -> JsonObject | None:
    """Return the form a prompt ends with, None if it has none."""
    found = _FORM.findall(prompt)
    return cast("JsonObject", json.loads(found[-1])) if found else None


def other_passage(prompt: str) -> str:
    """Return the second passage of a prompt, '' if it has one only."""
    found = _OTHER.search(prompt)
    return found.group(2) if found else ""


def numbered(instructions: str) -> list[str]:
    """Return the numbered lines a prompt gives to work on."""
    return _NUMBERED.findall(instructions)


def fill(form: JsonObject, source: Source, n: int) -> JsonObject:
    """Return the form filled with up to ``n`` items, or as many as there are numbered lines; a form without items with the first fact."""
    if "items" not in form:
        return _item(form, source, source.facts[0], 0) if source.facts else dict(form)
    template = cast("dict[str, Any]", form["items"][0])
    given = numbered(source.instructions) if "number" in template else []
    if "role" in template or "study" in template:
        return {"items": _named(template, source, n)}
    rests_on = _RESTS_ON.findall(source.instructions)
    items: list[JsonObject] = []
    for i in range(len(given) or min(n, len(source.facts))):
        fact = _match(given[i], rests_on[i : i + 1], source) if given else source.facts[i]
        if fact is None and set(template) == {"number", "evidence", "answer"}:
            items.append({"number": i + 1, "evidence": "", "answer": ""})
        elif "turns" in template:
            items.append({"turns": _turns(template["turns"][0], source, i)})
        elif fact is not None:
            items.append(_item(template, source, fact, i))
    return {"items": items}


def _item(template: JsonObject, source: Source, fact: Fact, i: int) -> JsonObject:
    zh_en = source.language
    values: dict[str, Callable[[], object]] = {
        "number": lambda: i + 1,
        "evidence": lambda: fact.sentence,
        "quotes": lambda: [fact.sentence],
        "other_evidence": lambda: _other(source, i).sentence,
        "question": lambda: _question(template, source, fact, i),
        "harder_question": lambda: _HARDER[zh_en].format(about=fact.about),
        "new_question": lambda: _TASKS[zh_en][i % 4].format(about=fact.about),
        "answer": lambda: _answer(template, source, fact, i),
        "new_answer": lambda: _ANEW[zh_en].format(sentence=fact.sentence),
        "missing": lambda: UNASKED[zh_en],
    }
    return {key: values[key]() if key in values else shown for key, shown in template.items()}


def _question(template: JsonObject, source: Source, fact: Fact, i: int) -> str:
    language = source.language
    if "missing" in template:
        return _MISSING[language].format(about=fact.about)
    if "other_evidence" in template:
        both = f"{fact.about}{'和' if language == 'zh' else ' and '}{_other(source, i).about}"
        return fact.question.replace(fact.about, both)
    if template.get("question_type") == "explain" or "quotes" in template:
        return _TASKS[language][(source.style + i) % 4].format(about=fact.about)
    return fact.question


def _answer(template: JsonObject, source: Source, fact: Fact, i: int) -> str:
    if "missing" in template:
        return _REFUSAL[source.language].format(about=fact.about)
    if "other_evidence" in template:
        return f"{fact.sentence}{'' if source.language == 'zh' else ' '}{_other(source, i).sentence}"
    return fact.sentence


def _other(source: Source, i: int) -> Fact:
    return source.others[i % len(source.others)] if source.others else source.facts[i]


def _turns(template: JsonObject, source: Source, i: int) -> list[JsonObject]:
    wanted = _TURNS.search(source.instructions)
    n = int(next(filter(None, wanted.groups()))) if wanted else 3
    facts = [source.facts[(i + k) % len(source.facts)] for k in range(min(n, len(source.facts)))]
    asked = [fact.question if k == 0 else _FURTHER[source.language].format(about=fact.about) for k, fact in enumerate(facts)]
    return [_item(template, source, fact, k) | {"question": asked[k]} for k, fact in enumerate(facts)]


def _named(template: JsonObject, source: Source, n: int) -> list[JsonObject]:
    names = (_ROLES if "role" in template else _STUDIES)[source.language]
    wants = {"zh": "想弄清楚自己要遵守哪些规定。", "en": "Wants to know which rules apply."}[source.language]
    return [dict(zip(template, (name, wants), strict=True)) for name in names[:n]]


def _match(line: str, rests_on: Sequence[str], source: Source) -> Fact | None:
    """Return the fact a numbered line asks about: the one it rests on, else the longest beginning it contains."""
    if UNASKED[source.language] in line:
        return None
    if rests_on:
        return next((f for f in source.facts if f.sentence in rests_on[0]), None)
    asked = [f for f in source.facts if f.about in line]
    if asked:
        return max(asked, key=lambda f: len(f.about))
    # A way of studying names no fact: the next one serves.
    spread = sum(map(ord, line))
    return source.facts[spread % len(source.facts)] if source.facts and detect_language(line) == source.language else None
