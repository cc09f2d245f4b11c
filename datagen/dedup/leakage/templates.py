"""Rows of one template: "1号房几点退房？" and "2号房几点退房？", each with an answer of its own, are two rows of a catalogue and no leak.

Two things must hold. The questions name different things: a figure of the one is replaced in the other, or, among Chinese characters, a
word of Latin letters ("A座", "B座"), misspellings aside. And the answers differ, in words or in figures: who has learnt the one still has
to be told the other. Where an answer is missing or the same, the pair stays a leak. Chinese numerals are characters like others here.
"""

import re

from datagen.dedup.leakage.edits import is_misspelling, same_figures
from datagen.dedup.leakage.near_rows import answers_alike
from datagen.text import CJK, units

_CJK = re.compile(f"[{CJK}]")
_LATIN = re.compile(r"[a-z][a-z0-9]*")


def is_template(question: str, answer: str, other_question: str, other_answer: str) -> bool:
    """Tell whether two similar questions are rows of one template; whether they are similar is not looked at."""
    if not answer.strip() or not other_answer.strip() or answers_alike(answer, other_answer):
        return False
    return not same_figures(question, other_question) or _other_names(question, other_question)


def _other_names(a: str, b: str) -> bool:
    """Tell whether each of two Chinese texts has a word of Latin letters that the other lacks."""
    if not (_CJK.search(a) and _CJK.search(b)):
        return False
    own, others = ({unit for unit in units(text) if _LATIN.fullmatch(unit)} for text in (a, b))
    only_own, only_others = own - others, others - own
    return bool(only_own and only_others) and not any(is_misspelling(x, y) for x in only_own for y in only_others)
