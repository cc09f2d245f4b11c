"""Leakage: which rows of one set are, in whole or in part, in another.

Rules, in this order: ``exact`` (same folded text), ``containment`` (half or more of a text's 8-word, for Chinese 13-character, windows occur in
the other), ``near_duplicate`` (Jaccard of 5-gram shingles >= 0.5). Windows of 8 words as in the PaLM and GPT-3 contamination studies
(arXiv 2204.02311, 2005.14165); a Chinese character carries about 0.6 of a word.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from datagen.dedup.incremental import TextIndex
from datagen.dedup.shingle import shingle
from datagen.text import detect_language, fold, units

Rule = Literal["exact", "containment", "near_duplicate"]
WINDOW = {"zh": 13, "en": 8}
CONTAINED = 0.5
SIMILAR = 0.5


class Leak(NamedTuple):
    """Row ``train_row`` shares text with row ``eval_row``; ``score`` in [0, 1] is the rule's similarity."""

    train_row: int
    eval_row: int
    rule: Rule
    score: float


class LeakIndex:
    """Evaluation texts, indexed once; ``find`` says whether a training text leaks into any of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._exact: dict[str, int] = {}
        self._windows: dict[int, list[int]] = {}
        self._sizes: list[int] = []
        self._near = TextIndex(threshold=SIMILAR, ngram=5)
        for position, text in enumerate(texts):
            self._exact.setdefault(fold(text), position)
            windows = _windows(text)
            self._sizes.append(len(windows))
            for window in windows:
                self._windows.setdefault(window, []).append(position)
            if text.strip():
                self._near.add(str(position), text)

    def find(self, text: str) -> tuple[int, Rule, float] | None:
        """Return (eval row, rule, score) of the strongest leak, or None."""
        if not text.strip():
            return None
        exact = self._exact.get(fold(text))
        if exact is not None:
            return exact, "exact", 1.0
        windows = _windows(text)
        shared: dict[int, int] = {}
        for window in windows:
            for position in self._windows.get(window, ()):
                shared[position] = shared.get(position, 0) + 1
        if shared:
            score, row = max((n / min(len(windows), self._sizes[p]), -p) for p, n in shared.items())
            if score >= CONTAINED:
                return -row, "containment", score
        match = self._near.find(text)
        return (int(match.id), "near_duplicate", match.similarity) if match else None


def find_leaks(train: Sequence[str], evaluation: Sequence[str]) -> list[Leak]:
    """Return the strongest leak of each training text, in training order."""
    index = LeakIndex(evaluation)
    found = ((row, index.find(text)) for row, text in enumerate(train))
    return [Leak(row, *leak) for row, leak in found if leak is not None]


def _windows(text: str) -> set[int]:
    """Hashes of a text's windows; none if it is shorter than one: a short fact cannot be said differently."""
    size = WINDOW[detect_language(text)]
    return {int(h) for h in shingle(text, size)} if len(units(text)) >= size else set()
