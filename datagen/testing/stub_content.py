"""What the stub answers: question-answer items made of real sentences of the passage in the prompt, or an echo without one.

A function of the request alone. Sentences with numbers come first; the system prompt and the round decide which of them and how they are
asked, so that exam and training prompts, and successive rounds, bring different questions.
"""

import json
import re
from typing import Any, NamedTuple

from datagen.hashing import sha256_hex
from datagen.testing.stub_faults import Faults
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
_INVENTED = {"zh": "本店为每位客人赠送一头会唱歌的大象。", "en": "Every guest is given a singing elephant on arrival."}
_FOREIGN = {"zh": "What exactly does the rule say about this?", "en": "这一条具体是怎么规定的，请详细说明？"}


class Completion(NamedTuple):
    """Text and finish reason of an answer."""

    text: str
    finish_reason: str


def write_completion(messages: list[dict[str, Any]], faults: Faults, request: str, n_try: int) -> Completion:
    """Answer a chat prompt.

    Args:
        messages: the request's messages.
        faults: content faults to apply.
        request: the request's hash, which draws the faults.
        n_try: how often this request has arrived before.
    """
    prompt = "\n".join(str(m.get("content", "")) for m in messages)
    found = _PASSAGE.search(prompt)
    if found is None:
        return Completion(f"echo: {prompt[-200:]}", "stop")
    passage = found.group(2)
    instructions = prompt.replace(passage, "")
    wanted = _ITEMS.search(instructions)
    number = _ROUND.search(instructions)
    turn = (int(number.group(1)) if number else 1) - 1
    style = int(sha256_hex(str(messages[0].get("content", "")))[:4], 16) + turn
    items = write_items(passage, int(wanted.group(1)) if wanted else 3, turn=turn, style=style)

    def strikes(name: str) -> bool:
        return faults.strikes(name, request, n_try)

    if items and strikes("ungrounded"):
        items[0]["evidence"] = _INVENTED[detect_language(passage)]
    if items and strikes("wrong_number"):
        items[-1]["answer"] = _NUMBER.sub(lambda m: str(int(m.group()) + 7), items[-1]["answer"]) + " (987654)"
    if items and strikes("wrong_language"):
        items[0]["question"] = _FOREIGN[detect_language(passage)]
    text = json.dumps({"items": items}, ensure_ascii=False)
    if strikes("prose"):
        return Completion("I am sorry, I cannot help with that.", "stop")
    if strikes("truncate"):
        return Completion(text[: len(text) * 2 // 3], "length")
    if strikes("torn_json"):
        return Completion(text[: len(text) * 2 // 3], "stop")
    if strikes("fences"):
        text = f"Here you are:\n```json\n{text}\n```"
    if strikes("think"):
        text = f"<think>\nThe passage says {{several things}}.\n</think>\n\n{text}"
    return Completion(text, "stop")


def write_items(passage: str, n: int, *, turn: int, style: int) -> list[dict[str, str]]:
    """Return up to ``n`` items in the ``qa`` schema; ``turn`` moves on through the sentences, ``style`` words the question."""
    language = detect_language(passage)
    sentences = [s for s in _sentences(passage) if detect_language(s) == language]
    sentences.sort(key=lambda s: not _NUMBER.search(s))
    first = turn * n % len(sentences) if sentences else 0
    chosen = (sentences[first:] + sentences[:first])[:n]
    templates = _QUESTIONS[language]
    return [
        {
            "evidence": s,
            "question": templates[(style + i) % len(templates)].format(about=_about(s)),
            "answer": s,
            "question_type": "factual",
        }
        for i, s in enumerate(chosen)
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
    for cut in re.finditer(r"[，,；;：:（(]|\d", plain):
        if 4 <= len(units(plain[: cut.start()])) <= total / 2:
            return plain[: cut.start()].strip()
    if detect_language(plain) == "zh":
        return plain[: len(plain) // 2]
    words = plain.split()
    return " ".join(words[: max(3, len(words) // 2)])
