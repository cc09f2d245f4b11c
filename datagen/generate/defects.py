"""What is wrong with a question and its answer, by rules alone: the checks every strategy's rows pass, zh and en alike.

Reasons: those of ``grounding.check_answer`` and ``empty_question``, ``evidence_not_found``, ``wrong_language``, ``question_needs_passage``.
"""

import re
from collections.abc import Sequence

from datagen.generate.grounding import check_answer
from datagen.schemas.document import Language
from datagen.schemas.sample import EvidenceSpan
from datagen.text import CJK, detect_language, fold, units

Defect = tuple[str, str]
_NEEDS_PASSAGE = re.compile(
    r"(?i)(?:本文|上文|文中|原文|(?:这|该|此|上述|以上)段(?:文字|话|落|内容|材料)?|(?:给定|提供|上述|以上)的?(?:材料|文本|文段)"
    r"|\b(?:the|this|given|above)\s+(?:passage|excerpt|text above|given text|paragraph)\b)"
)
# A name or a code in the other script is no wrong language; that many words are a sentence.
SENTENCE_WORDS = 5
_CJK = re.compile(f"[{CJK}]")
_LATIN_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]{2,}")


def question_defect(question: str, language: Language, *, alone: bool = True) -> Defect | None:
    """Name the defect of a question; ``alone``: it must make sense without the passage and without what was said before."""
    if not units(question):
        return "empty_question", "the question has no words"
    found = detect_language(question)
    if found != language and (alone or _is_sentence(question, found)):
        return "wrong_language", f"the question is {found}, the document {language}"
    needs = _NEEDS_PASSAGE.search(question) if alone else None
    return ("question_needs_passage", f"'{needs.group()}' means nothing without the passage") if needs else None


def pair_defect(
    question: str,
    answer: str,
    evidence: Sequence[tuple[str, EvidenceSpan | None]],
    language: Language,
    *,
    context: Sequence[str] = (),
    alone: bool = True,
) -> Defect | None:
    """Name the first defect of a question-answer pair, None if there is none.

    Args:
        question: what is asked.
        answer: what is answered.
        evidence: each quote with the span where it was found; None: nowhere.
        language: of the document, which the row must share.
        context: further passages the answer may rest on (quotes of earlier turns).
        alone: whether the question must make sense by itself.
    """
    if not units(question):
        return "empty_question", "the question has no words"
    for quote, span in evidence:
        if span is None:
            return "evidence_not_found", f"not in the passage: {quote[:80]}"
    quotes = [span.quote for _, span in evidence if span]
    defect = check_answer(answer, [*quotes, *context] if quotes else [], question)
    return defect or question_defect(question, language, alone=alone) or answer_language_defect(answer, quotes, language)


def answer_language_defect(answer: str, quotes: Sequence[str], language: Language) -> Defect | None:
    """Name an answer that is a whole sentence in the other language and not one of its quotes."""
    found = detect_language(answer)
    if found == language or not _is_sentence(answer, found) or any(fold(answer).strip("。.") in fold(quote) for quote in quotes):
        return None
    return "wrong_language", f"the answer is {found}, the document {language}"


def _is_sentence(text: str, language: Language) -> bool:
    return len((_CJK if language == "zh" else _LATIN_WORD).findall(text)) >= SENTENCE_WORDS
