"""Rows of one template: "1号房几点退房？" and "2号房几点退房？", each with an answer of its own, are two rows of a catalogue and no leak.

Two things must hold. The questions name different things: a figure of the one is replaced in the other, or a Chinese numeral before a
measure word or after 第 ("一号房", "二号房"), or, among Chinese characters, a word of Latin letters ("A座", "B座"), misspellings aside. And
the answers differ, in words or in figures: who has learnt the one still has to be told the other. Where an answer is missing or the
same, the pair stays a leak. Rows found by their answers alone must differ so in both.
"""

import re

import numpy as np

from datagen.dedup.leakage.edits import is_misspelling, same_figures
from datagen.dedup.leakage.near_rows import CANDIDATE, answers_alike
from datagen.dedup.shingle import shingle
from datagen.text import CJK, units

_CJK = re.compile(f"[{CJK}]")
_LATIN = re.compile(r"[a-z][a-z0-9]*")
_DIGIT = "[零〇一二两三四五六七八九十百千甲乙丙丁]"
_NUMERAL = re.compile(f"(?<=第){_DIGIT}+|{_DIGIT}+(?=[号楼层座栋幢室房间厅区期档级类组班章节条款型路店次届天晚日月年周点岁人位折])")
"""A numeral that counts or orders; 一 in 一般 or 统一 does neither."""


def is_template(question: str, answer: str, other_question: str, other_answer: str) -> bool:
    """Tell whether two similar questions are rows of one template; whether they are similar is not looked at."""
    if not answer.strip() or not other_answer.strip():
        return False
    if answers_alike(answer, other_answer) and not _other_numerals(answer, other_answer):
        return False
    named = not same_figures(question, other_question) or _other_numerals(question, other_question)
    return named or _other_names(question, other_question)


def is_template_throughout(question: str, answer: str, other_question: str, other_answer: str) -> bool:
    """Tell whether two rows with similar answers are of one template in question and answer both: the questions share half of their
    2-grams and name different things, and so do the answers."""
    if not question.strip() or not other_question.strip():
        return False
    own, other = shingle(question, 2), shingle(other_question, 2)
    if 2 * len(np.intersect1d(own, other, assume_unique=True)) < CANDIDATE * (len(own) + len(other)):
        return False
    replaced = not same_figures(answer, other_answer) or _other_numerals(answer, other_answer)
    return replaced and is_template(question, answer, other_question, other_answer)


def _other_numerals(a: str, b: str) -> bool:
    """Tell whether each of two texts has a Chinese numeral that the other lacks."""
    return _replaced(set(_NUMERAL.findall(a)), set(_NUMERAL.findall(b)))


def _other_names(a: str, b: str) -> bool:
    """Tell whether each of two Chinese texts has a word of Latin letters that the other lacks."""
    if not (_CJK.search(a) and _CJK.search(b)):
        return False
    own, others = ({unit for unit in units(text) if _LATIN.fullmatch(unit)} for text in (a, b))
    return _replaced(own, others) and not any(_is_misspelt(x, y) for x in own - others for y in others - own)


def _replaced(own: set[str], others: set[str]) -> bool:
    return bool(own - others) and bool(others - own)


def _is_misspelt(a: str, b: str) -> bool:
    """Tell whether one name is a slip for the other; a code with digits in it ("A101", "B101") is none."""
    return is_misspelling(a, b) and a.isalpha() and b.isalpha()
