"""Grounding: where in the document a quoted passage stands, and whether an answer says more than its evidence.

Deterministic, before any judge. ``locate`` tries the quote as it is, then folded (NFKC, case, white space and Markdown
marks ignored), then by edit distance with a similarity of at least 0.9; whatever matched, the span it returns is
verbatim document text. ``check_answer`` names the defect of an answer, or None.
"""

import re
import unicodedata
from collections.abc import Sequence

from datagen.generate.quantities import quantities, states
from datagen.schemas.document import Chunk, Document
from datagen.schemas.sample import EvidenceSpan
from datagen.text import fold, units

MIN_SIMILARITY = 0.9
# Left out while comparing: emphasis, code and table marks, and quotation marks, which models add, drop and exchange.
_IGNORED = frozenset("*`_|#>\"'“”‘’「」『』")
_DASHES = frozenset("‐‑‒–—―−~～")


def locate(quote: str, document: Document, chunk: Chunk) -> EvidenceSpan | None:
    """Find a quoted passage inside a chunk and return it as a span of the document.

    The first occurrence wins; of several fuzzy matches, the closest, then the first. Cost: linear in the chunk; the fuzzy
    pass is bit-parallel, O(n * m / 64) for a chunk of n and a quote of m characters.

    Returns:
        The span with ``document.text[start:end] == quote`` of the span, or None if nothing is at least 0.9 similar.

    Source: G. Myers, "A fast bit-vector algorithm for approximate string matching based on dynamic programming",
    J. ACM 46(3), 1999 (fuzzy pass; similarity is 1 - edit distance / length of the quote).
    """
    wanted = quote.strip()
    if not wanted:
        return None
    at = chunk.text.find(wanted)
    if at >= 0:
        return _span(document, chunk.start + at, chunk.start + at + len(wanted))
    pattern, _ = _fold_with_map(wanted)
    text, where = _fold_with_map(chunk.text)
    if not pattern:
        return None
    at = text.find(pattern)
    match = (at, at + len(pattern)) if at >= 0 else _closest(pattern, text)
    if match is None:
        return None
    start, end = where[match[0]], where[match[1] - 1] + 1
    return _span(document, chunk.start + start, chunk.start + end)


def check_answer(answer: str, evidence_quotes: Sequence[str], question: str) -> tuple[str, str] | None:
    """Return ``(reason, detail)`` for an answer that its evidence does not carry, None if nothing is wrong.

    Reasons, in the order tested: ``empty_answer``, ``evidence_not_found`` (no evidence given),
    ``answer_copied_from_question``, ``unsupported_number`` (a number, date, time or percentage, with its unit, that the
    evidence does not state; numbers in the question do not count as evidence).
    """
    if not units(answer):
        return "empty_answer", "the answer has no words"
    evidence = "\n".join(quote for quote in evidence_quotes if quote.strip())
    if not evidence:
        return "evidence_not_found", "the answer comes without evidence"
    if _copied(answer, question):
        return "answer_copied_from_question", f"the answer only repeats the question: {_short(answer)}"
    for quantity in quantities(answer):
        if not states(evidence, quantity):
            return "unsupported_number", f"'{quantity.text}' is not in the evidence"
    return None


def _copied(answer: str, question: str) -> bool:
    said, asked = "".join(units(answer)), "".join(units(question))
    return len(said) >= 6 and (said == asked or (len(said) >= 0.6 * len(asked) and said in asked))


def _short(text: str, limit: int = 60) -> str:
    line = re.sub(r"\s+", " ", fold(text))
    return line if len(line) <= limit else f"{line[:limit]}…"


def _span(document: Document, start: int, end: int) -> EvidenceSpan:
    return EvidenceSpan(document=document.path, start=start, end=end, quote=document.text[start:end])


def _fold_with_map(text: str) -> tuple[str, list[int]]:
    """Return the folded text and, for each of its characters, the offset of the character it came from."""
    folded: list[str] = []
    where: list[int] = []
    for offset, char in enumerate(text):
        if char in _IGNORED:
            continue
        for piece in unicodedata.normalize("NFKC", char).casefold():
            if piece.isspace() or piece in _IGNORED:
                continue
            folded.append("-" if piece in _DASHES else piece)
            where.append(offset)
    return "".join(folded), where


def _closest(pattern: str, text: str) -> tuple[int, int] | None:
    """Return the slice of ``text`` with the smallest edit distance to ``pattern``, if small enough."""
    allowed = int(len(pattern) * (1 - MIN_SIMILARITY) + 1e-9)
    if allowed == 0 or not text:
        return None
    distances = _edit_distances(pattern, text)
    best = min(distances)
    if best > allowed:
        return None
    end = distances.index(best) + 1
    before = text[max(0, end - len(pattern) - best) : end][::-1]
    backwards = _edit_distances(pattern[::-1], before)
    length = backwards.index(min(backwards)) + 1
    return end - length, end


def _edit_distances(pattern: str, text: str) -> list[int]:
    """Return, for each end position in ``text``, the edit distance of ``pattern`` to the best slice ending there."""
    masks: dict[str, int] = {}
    for i, char in enumerate(pattern):
        masks[char] = masks.get(char, 0) | 1 << i
    full = (1 << len(pattern)) - 1
    last = 1 << (len(pattern) - 1)
    plus, minus, score = full, 0, len(pattern)
    scores: list[int] = []
    for char in text:
        equal = masks.get(char, 0)
        vertical = equal | minus
        horizontal = (((equal & plus) + plus) ^ plus) | equal
        rises = minus | ~(horizontal | plus) & full
        falls = plus & horizontal
        if rises & last:
            score += 1
        elif falls & last:
            score -= 1
        rises = rises << 1 & full
        falls = falls << 1 & full
        plus = falls | ~(vertical | rises) & full
        minus = rises & vertical
        scores.append(score)
    return scores
