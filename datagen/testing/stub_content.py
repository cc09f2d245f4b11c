"""What the stub answers: the form of the prompt filled with real sentences of its passage (``stub_forms``), or an echo without one.

A function of the request alone; a prompt without a form gets question-answer items. Sentences with numbers come first; the system prompt
and the round decide which of them and how they are asked, so that exam and training prompts, and successive rounds, bring different
questions.
"""

import json
import re
from typing import Any, NamedTuple

from datagen.hashing import sha256_hex
from datagen.testing.stub_faults import Faults
from datagen.testing.stub_forms import Fact, Source, fill, other_passage, read_form
from datagen.testing.stub_judge import write_verdict
from datagen.testing.stub_spoil import Planted, spoil
from datagen.text import detect_language, split_sentences, units

_PASSAGE = re.compile(r"<passage ([0-9a-z]+)>\n(.*)\n</passage \1>", re.S)
_ITEMS = re.compile(r"(?:exactly|恰好)\s*(\d+)")
_ROUND = re.compile(r"(?:round|第)\s*(\d+)")
_NUMBER = re.compile(r"\d+")
_MARK = re.compile(r"^(?:[-*+]|\d+[.、)])\s+")
_QUESTIONS = {
    "zh": (
        "关于“{about}”，具体是怎么规定的？",
        "请问{about}这一项，客人需要知道什么？",
        "有人问起“{about}”，应当怎样答复？",
        "{about}：相关要求有哪些？",
    ),
    "en": (
        "What exactly applies when it comes to {about}?",
        "A guest asks about {about}; what should they be told?",
        "Which rule covers {about}?",
        "How would you explain {about} to a customer?",
    ),
}
_QA_FORM = {"items": [{"evidence": "", "question": "", "answer": "", "question_type": "factual"}]}


class Completion(NamedTuple):
    """Text and finish reason of an answer, and the faults planted in it with the items they struck."""

    text: str
    finish_reason: str
    planted: tuple[Planted, ...] = ()


def write_completion(messages: list[dict[str, Any]], faults: Faults, request: str, n_try: int) -> Completion:
    """Answer a chat prompt.

    Args:
        messages: the request's messages.
        faults: content faults to apply.
        request: the request's hash, which draws the faults.
        n_try: how often this request has arrived before.
    """
    prompt = "\n".join(str(m.get("content", "")) for m in messages)
    # The last one: those before are examples.
    found = next(reversed(list(_PASSAGE.finditer(prompt))), None)
    form = read_form(prompt)
    if form and ("better" in form or "correct" in form):
        return Completion(write_verdict(form, prompt, biased=faults.strikes("biased_judge", request, n_try)), "stop")
    if found is None:
        return Completion(f"echo: {prompt[-200:]}", "stop")
    passage = found.group(2)
    other = other_passage(prompt)
    instructions = prompt.replace(passage, "")
    wanted = _ITEMS.search(instructions)
    number = _ROUND.search(instructions)
    turn = (int(number.group(1)) if number else 1) - 1
    style = int(sha256_hex(str(messages[0].get("content", "")))[:4], 16) + turn
    n = int(wanted.group(1)) if wanted else 3
    facts = _facts(passage, turn * n, style)
    answer = fill(form or _QA_FORM, Source(instructions, detect_language(passage), facts, _facts(other, 0, style), style), n)

    def strikes(name: str) -> bool:
        return faults.strikes(name, request, n_try)

    planted = tuple(spoil(answer.get("items", [answer]), detect_language(passage), strikes))
    text = json.dumps(answer, ensure_ascii=False)
    if strikes("prose"):
        return Completion("I am sorry, I cannot help with that.", "stop", (("prose", answer),))
    if strikes("truncate"):
        return Completion(text[: len(text) * 2 // 3], "length", (("truncate", answer),))
    if strikes("torn_json"):
        return Completion(text[: len(text) * 2 // 3], "stop")
    if strikes("fences"):
        text = f"Here you are:\n```json\n{text}\n```"
    if strikes("think"):
        text = f"<think>\nThe passage says {{several things}}.\n</think>\n\n{text}"
    return Completion(text, "stop", planted)


def write_items(passage: str, n: int, *, turn: int, style: int) -> list[dict[str, str]]:
    """Return up to ``n`` items in the ``qa`` schema; ``turn`` moves on through the sentences, ``style`` words the question."""
    source = Source("", detect_language(passage), _facts(passage, turn * n, style), (), style)
    return fill(_QA_FORM, source, n)["items"]


def _facts(passage: str, first: int, style: int) -> list[Fact]:
    """Return the passage's sentences, those with numbers first, beginning with the ``first`` of them."""
    language = detect_language(passage)
    sentences = [s for s in _sentences(passage) if detect_language(s) == language]
    sentences.sort(key=lambda s: not _NUMBER.search(s))
    first = first % len(sentences) if sentences else 0
    templates = _QUESTIONS[language]
    return [
        Fact(s, _about(s), templates[(style + i) % len(templates)].format(about=_about(s)))
        for i, s in enumerate(sentences[first:] + sentences[:first])
    ]


def _sentences(passage: str) -> list[str]:
    found: dict[str, None] = {}
    for line in passage.split("\n"):
        text = _MARK.sub("", line.strip())
        if not text or text[0] in "#|>`" or text.startswith("---"):
            continue
        for span in split_sentences(text):
            sentence = text[span.start : span.end].strip()
            if len(units(sentence)) >= 6 and not sentence.endswith(("?", "？", ":", "：")):
                found.setdefault(sentence)
    return list(found)


def _about(sentence: str) -> str:
    """Return the first part of the sentence: up to a number or clause mark, at least four units and at most half of it."""
    plain = sentence.replace("*", "").replace("`", "")
    total = len(units(plain))
    for cut in re.finditer(r"[，,；;：:（(]|(?<!\d)\d", plain):
        if 4 <= len(units(plain[: cut.start()])) <= total / 2:
            return plain[: cut.start()].strip()
    if detect_language(plain) == "zh":
        # Half a number would be another number.
        half = len(plain) // 2
        return re.sub(r"\d+\Z", "", plain[:half]) if plain[half : half + 1].isdigit() else plain[:half]
    words = plain.split()
    return " ".join(words[: max(3, len(words) // 2)])
