"""Answers proved wrong: a grounded answer changed in one place, so that its own evidence no longer carries it.

Three ways, tried in an order fixed by a hash: ``number`` (a number, time or date becomes another), ``unit`` (days become hours), ``span``
(the answer to another question, from another place of the passage). Proof: for the first two ``grounding.check_answer`` passes the answer
and names the changed one ``unsupported_number``; for ``span`` the quotes do not overlap, the questions differ, and neither answer stands
in the other's quote. All but ``span`` keep the answer's length and wording, and ``span`` takes an answer of about its length, so that
length or style cannot tell good from bad.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datagen.generate.grounding import check_answer
from datagen.generate.rouge import rouge_l
from datagen.hashing import sha256_hex
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import EvidenceSpan, Sample
from datagen.text import fold

MOST_ALIKE = 0.5
"""ROUGE-L to the right answer from which another answer is too near to be wrong for certain."""
SHORTEST, LONGEST = 0.5, 2.0
"""Length ratio of another answer: beyond, length alone would tell it apart."""
SAME_QUESTION = 0.8
"""ROUGE-L from which two questions may ask for the same thing, so that the other's answer may be right."""
_CLOCK = re.compile(r"(?<!\d)(?P<h>\d{1,2})(?P<sep>[:：])(?P<m>\d{2})(?!\d)")
_NUMBER = re.compile(r"(?<![\d.:：A-Za-z])\d+(?:\.\d+)?(?![\d:：A-Za-z])")
_LIST_MARK = re.compile(r"(?m)^\s*\d{1,2}[.、)]\s*")
_NUMERALS = "一二三四五六七八九"
_NUMERAL = re.compile(rf"(?<![{_NUMERALS}十百千万两第])[{_NUMERALS}两](?=\s*(?:天|日|晚|小时|个|间|次|位|名|元|折|年|周|岁|公斤|公里))")
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.I)
_SWAPS = {
    **{"小时": "天", "分钟": "小时", "天": "小时", "个月": "周", "年": "个月", "晚": "周", "元": "美元", "公里": "米", "公斤": "吨"},
    **{"hours": "days", "hour": "day", "minutes": "hours", "days": "hours", "day": "hour", "weeks": "months", "months": "weeks"},
    **{"years": "months", "nights": "weeks", "night": "week", "dollars": "euros", "kilometres": "metres", "kilograms": "pounds"},
}
_UNIT = re.compile(r"(?<=\d)(?P<gap>\s*-?)(?P<unit>" + "|".join(rf"{u}{'(?![a-z])' if u.isascii() else ''}" for u in _SWAPS) + ")")


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong answer and how it was made (``number``, ``unit``, ``span``; ``probe_model``: see ``rejecting``)."""

    text: str
    way: str
    proof: str


def wrong_answer(sample: Sample, others: Sequence[Sample]) -> Wrong | None:
    """Return a wrong answer to a grounded sample's question, None if none can be proved wrong.

    Args:
        sample: one question, one answer, with its evidence.
        others: samples of the same passage, for ``span``.
    """
    question, answer = prompt_text(sample.record), completion_text(sample.record)
    quotes = [e.quote for e in sample.provenance.evidence]
    ways = {"number": _numbers(answer), "unit": _units(answer)} if check_answer(answer, quotes, question) is None else {}
    for way in sorted(("number", "unit", "span"), key=lambda w: sha256_hex(f"{sample.id}:{w}")):
        if way == "span":
            other = _elsewhere(sample, answer, others)
            if other is not None:
                return Wrong(completion_text(other.record), way, f"answers another question: {prompt_text(other.record)[:80]}")
            continue
        variants = sorted(dict.fromkeys(ways.get(way, ())), key=lambda text: sha256_hex(f"{sample.id}:{text}"))
        for text in variants:
            defect = check_answer(text, quotes, question)
            if defect is not None and defect[0] == "unsupported_number":
                return Wrong(text, way, defect[1])
    return None


def length_ratio(rejected: str, chosen: str) -> float:
    """Return the rejected answer's length over the chosen one's, in characters; far from 1, length alone tells them apart."""
    return round(len(rejected) / max(1, len(chosen)), 3)


def _numbers(answer: str) -> Iterator[str]:
    """Yield the answer with one number, time or numeral replaced by another of its kind."""
    marks = [m.span() for m in _LIST_MARK.finditer(answer)]
    for match in _CLOCK.finditer(answer):
        for shift in (1, 2, 3, 5):
            hour = (int(match["h"]) + shift) % 24
            yield _put(answer, match, f"{hour:0{len(match['h'])}d}{match['sep']}{match['m']}")
    for match in _NUMBER.finditer(answer):
        if not any(start <= match.start() < end for start, end in marks):
            for value in _other_values(match.group(), answer[match.end() :].lstrip()[:1]):
                yield _put(answer, match, value)
    for match in _NUMERAL.finditer(answer):
        value = "二" if match.group() == "两" else match.group()
        for shift in (1, 2, 3):
            yield _put(answer, match, _NUMERALS[(_NUMERALS.index(value) + shift) % 9])
    for match in _WORD.finditer(answer):
        for shift in (1, 2, 3):
            word = _WORDS[(_WORDS.index(match.group().lower()) + shift) % len(_WORDS)]
            yield _put(answer, match, word.capitalize() if match.group()[0].isupper() else word)


def _other_values(number: str, following: str) -> Iterator[str]:
    whole, dot, part = number.partition(".")
    value = int(whole)
    most = {"月": 12, "日": 28, "号": 28, "点": 24, "时": 24, "%": 100, "折": 9}.get(following, int("9" * max(len(whole), 2)))
    for other in (value + 1, value + 2, value + 5, value + 10, value * 2, value - 1, value // 2):
        if 0 < other <= most and other != value:
            yield f"{other:0{len(whole) if whole.startswith('0') else 1}d}{dot}{part}"


def _units(answer: str) -> Iterator[str]:
    for match in _UNIT.finditer(answer):
        yield _put(answer, match, f"{match['gap']}{_SWAPS[match['unit']]}")


def _put(text: str, match: re.Match[str], new: str) -> str:
    return f"{text[: match.start()]}{new}{text[match.end() :]}"


def _elsewhere(sample: Sample, answer: str, others: Sequence[Sample]) -> Sample | None:
    """Return another sample whose answer comes from another place and says something else; the choice is fixed by a hash."""
    fit = [other for other in others if _answers_something_else(sample, answer, other)]
    return min(fit, key=lambda other: sha256_hex(f"{sample.id}:{other.id}"), default=None)


def _answers_something_else(sample: Sample, answer: str, other: Sample) -> bool:
    own, theirs, text = sample.provenance.evidence, other.provenance.evidence, completion_text(other.record)
    if not own or not theirs or any(_overlap(a, b) for a in own for b in theirs):
        return False
    if _says(own, text) or _says(theirs, answer) or not SHORTEST <= length_ratio(text, answer) <= LONGEST:
        return False
    return rouge_l(text, answer) < MOST_ALIKE and rouge_l(prompt_text(other.record), prompt_text(sample.record)) < SAME_QUESTION


def _overlap(a: EvidenceSpan, b: EvidenceSpan) -> bool:
    return a.document == b.document and a.start < b.end and b.start < a.end


def _says(evidence: Sequence[EvidenceSpan], text: str) -> bool:
    return any(fold(text).strip(" .。") in fold(span.quote) for span in evidence)
