"""``span_question``: a sentence of the document is the answer, chosen by rule; the model writes only the question.

The strategy for small local models, which copy and invent when they must write everything: the prompt is short, shows examples, and holds
one sentence, so that even a base model of 270 M parameters writes usable questions. One request a row.

Reasons beside those of ``defects``: ``not_a_question``, ``question_copies_evidence``, ``question_off_evidence`` (no word in common),
``unsupported_number`` (a number in the question that the sentence and its headings do not hold).

Source: X. Du et al., "Learning to ask: Neural question generation for reading comprehension", ACL 2017 (arXiv 1705.00106): sentence to
question.
"""

import re

from datagen.generate.defects import pair_defect
from datagen.generate.quantities import quantities, states
from datagen.generate.rouge import rouge_l
from datagen.generate.round import Defect, Round
from datagen.generate.writer import Writer
from datagen.schemas.record import Frozen, question_answer
from datagen.schemas.sample import EvidenceSpan
from datagen.text import detect_language, split_sentences, units

PROMPT = "span_question/{language}.v1"
SHORTEST, LONGEST = 8, 90
"""Units (Chinese characters, words) of a sentence that is an answer."""
COPIED = 0.8
"""ROUGE-L from which a question is its sentence again."""
_NOT_PROSE = re.compile(r"\s*(?:#|\||```|>|---)")
_MARK = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)、．])\s+")
_ASKS = re.compile(
    r"(?i)[?？]|吗|呢|什么|多少|几|哪|谁|怎么|如何|是否|为何|能否|^\W*(?:what|when|where|which|who|how|why|can|do|does|is|are|may|must)\b"
)
_WORD = re.compile(r"[A-Za-z]{4,}|\b[A-Z]{2,}\b|\d+")
_PAIR = re.compile(r"(?=([\u4e00-\u9fff]{2}))")


class WrittenQuestion(Frozen):
    """The answer."""

    question: str


class SpanQuestion(Writer):
    """The strategy (see the module). ``items``: sentences of a passage asked about in one round."""

    name = "span_question"
    prompts = (PROMPT,)
    forms = (WrittenQuestion,)
    tokens_per_item = 0
    tokens_beside = 96
    one_row_a_request = True

    async def write(self, round_: Round) -> None:
        spans = sentences(round_)
        for span in spans[round_.attempt * round_.items :][: round_.items]:
            asked = await round_.ask(PROMPT, WrittenQuestion, passage=span.quote)
            if asked is not None:
                question = " ".join(asked.value.question.split())
                sample = round_.sample(question_answer(question, span.quote), asked, [span], question_type="span")
                round_.settle(sample, _defect(question, span, round_))


def sentences(round_: Round) -> list[EvidenceSpan]:
    """Return the chunk's sentences of prose in its language, long enough to say something, those with numbers first."""
    chunk, text = round_.chunk, round_.document.text
    found: dict[str, EvidenceSpan] = {}
    at = chunk.start
    for line in text[chunk.start : chunk.end].splitlines(keepends=True):
        mark = _MARK.match(line)
        head = mark.end() if mark else 0
        for part in split_sentences(line[head:]) if not _NOT_PROSE.match(line) else []:
            quote = line[head + part.start : head + part.end].strip()
            start = at + head + part.start + line[head + part.start :].index(quote) if quote else 0
            fit = SHORTEST <= len(units(quote)) <= LONGEST and not quote.endswith(("?", "？", ":", "：")) and "|" not in quote
            if fit and detect_language(quote) == chunk.language:
                span = EvidenceSpan(document=round_.document.path, start=start, end=start + len(quote), quote=quote)
                found.setdefault(quote, span)
        at += len(line)
    return sorted(found.values(), key=lambda span: not quantities(span.quote))


def _defect(question: str, span: EvidenceSpan, round_: Round) -> Defect | None:
    defect = pair_defect(question, span.quote, [(span.quote, span)], round_.chunk.language)
    if defect is not None:
        return defect
    if not _ASKS.search(question):
        return "not_a_question", f"nothing is asked: {question[:80]}"
    if rouge_l(question, span.quote) >= COPIED:
        return "question_copies_evidence", f"the question is the sentence again: {question[:80]}"
    known = " ".join((span.quote, round_.document.title, *round_.chunk.heading_path))
    for quantity in quantities(question):
        if not states(known, quantity):
            return "unsupported_number", f"'{quantity.text}' in the question is not in the sentence"
    if not {w.casefold() for w in _pieces(question)} & {w.casefold() for w in _pieces(known)}:
        return "question_off_evidence", f"no word in common with: {span.quote[:80]}"
    return None


def _pieces(text: str) -> set[str]:
    """Return words of four letters, acronyms, numbers, and overlapping pairs of Chinese characters."""
    return {*_WORD.findall(text), *_PAIR.findall(text)}
