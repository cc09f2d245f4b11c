"""Leakage: which rows of one set are, in whole or in part, in another.

Rules, the first that holds is named: ``exact`` (same units: width, case, space and punctuation aside), ``containment`` (half or more of
either text's windows occur in the other; windows of 8 words, for Chinese of 13 characters), ``near_duplicate`` (Jaccard of 5-gram shingles
>= 0.5). Overlaps are counted exactly: nothing is missed to hashing. Windows of 8 words as in the PaLM contamination study (arXiv
2204.02311, Appendix D); 13 Chinese characters are about as many words.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from datagen.dedup.overlap import OverlapIndex
from datagen.dedup.shingle import Shingles, shingle
from datagen.text import detect_language, fold, units

Rule = Literal["exact", "containment", "near_duplicate", "rare_ngram"]
WINDOW = {"zh": 13, "en": 8}
CONTAINED = 0.5
SIMILAR = 0.5
_RANK: dict[Rule, int] = {"exact": 3, "containment": 2, "near_duplicate": 1, "rare_ngram": 0}


class Leak(NamedTuple):
    """Row ``train_row`` shares text with row ``eval_row`` (both from 0); ``score`` in [0, 1] is the rule's similarity."""

    train_row: int
    eval_row: int
    rule: Rule
    score: float


class Hit(NamedTuple):
    """Text ``row`` of the index that a query leaks into."""

    row: int
    rule: Rule
    score: float


class LeakIndex:
    """Texts, indexed once; blank ones match nothing. Queries cost well under a millisecond for thousands of short texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._exact: dict[str, list[int]] = {}
        for row, text in enumerate(texts):
            if text.strip():
                self._exact.setdefault(_key(text), []).append(row)
        languages = [detect_language(text) for text in texts]
        self._windows = {
            size: OverlapIndex([_windows(text, size if own == language else 0) for text, own in zip(texts, languages, strict=True)])
            for language, size in WINDOW.items()
        }
        self._near = OverlapIndex([shingle(text, 5) for text in texts])

    def all(self, text: str) -> list[Hit]:
        """Return every indexed text that ``text`` leaks into, by row, each with the first rule that holds."""
        if not text.strip():
            return []
        found: dict[int, Hit] = {}
        shingles = shingle(text, 5)
        rows, common, sizes = self._near.overlaps(shingles)
        _note(found, "near_duplicate", rows, common / (len(shingles) + sizes - common), SIMILAR)
        for width, index in self._windows.items():
            windows = _windows(text, width)
            rows, common, sizes = index.overlaps(windows)
            _note(found, "containment", rows, common / np.minimum(len(windows), sizes), CONTAINED)
        for row in self._exact.get(_key(text), ()):
            found[row] = Hit(row, "exact", 1.0)
        return [found[row] for row in sorted(found)]

    def find(self, text: str) -> Hit | None:
        """Return the strongest leak (by rule, then score; the first among equals), or None."""
        return max(self.all(text), key=strength, default=None)


def find_leaks(train_texts: Sequence[str], eval_texts: Sequence[str]) -> list[Leak]:
    """Return every pair of a training and an evaluation text that share text, by training row, then evaluation row."""
    if not any(text.strip() for text in eval_texts) or not any(text.strip() for text in train_texts):
        return []
    index = LeakIndex(eval_texts)
    return [Leak(row, *hit) for row, text in enumerate(train_texts) for hit in index.all(text)]


def strength(hit: Hit) -> tuple[int, float, int]:
    """Return what orders findings: by rule, then score, then the first row."""
    return _RANK[hit.rule], hit.score, -hit.row


def _note(found: dict[int, Hit], rule: Rule, rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float64], least: float) -> None:
    enough = scores >= least
    for row, score in zip(rows[enough].tolist(), scores[enough].tolist(), strict=True):
        found[row] = Hit(row, rule, score)


def _key(text: str) -> str:
    return "\x00".join(units(text)) or fold(text)


def _windows(text: str, width: int) -> Shingles:
    """Return a text's windows; none if it is shorter than one."""
    return shingle(text, width) if width and len(units(text)) >= width else shingle("", 1)
