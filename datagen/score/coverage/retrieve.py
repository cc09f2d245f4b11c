"""Which passage of the documents a text is about: containment weighted by inverse document frequency.

``support(text, passage)`` is the share of a text's term weight that the passage holds, in [0, 1]. Terms are pairs of neighbouring Chinese
characters and English words; a term no passage has weighs most, so a text about something else has little support anywhere. No model, no
network, deterministic.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from datagen.text import CJK, units

_BLOCK = 2048
_LARGEST = 1 << 23
"""Scores of texts by passages in memory at once: 64 MiB."""


class Support(NamedTuple):
    """The passages a text is nearest to, best first (at most ``top``), and how much of it each holds, in [0, 1]."""

    passages: tuple[int, ...]
    scores: tuple[float, ...]

    @property
    def best(self) -> float:
        return self.scores[0] if self.scores else 0.0


class PassageIndex:
    """Passages, indexed once. Cost of a query: one sparse product with all passages."""

    def __init__(self, passages: Sequence[str]) -> None:
        self._vocabulary: dict[str, int] = {}
        postings = [sorted({self._vocabulary.setdefault(term, len(self._vocabulary)) for term in terms(text)}) for text in passages]
        n = len(passages)
        frequency = np.bincount(np.concatenate([np.zeros(0, dtype=np.int64), *postings]).astype(np.int64), minlength=len(self._vocabulary))
        self._idf: npt.NDArray[np.float64] = np.log(1.0 + n / np.maximum(frequency, 1))
        self._unknown = float(np.log(1.0 + n))
        self._matrix = _sparse(postings, len(self._vocabulary)).T.tocsr()
        self._n = n

    def support(self, texts: Sequence[str], *, top: int = 3) -> list[Support]:
        """Return each text's nearest passages, in input order; a text without terms has none."""
        found: list[Support] = []
        step = min(_BLOCK, max(_LARGEST // max(self._n, 1), 1))
        for start in range(0, len(texts), step):
            found += self._block(texts[start : start + step], top)
        return found

    def weight(self, term: str) -> float:
        """Return a term's inverse document frequency."""
        at = self._vocabulary.get(term)
        return self._unknown if at is None else float(self._idf[at])

    def _block(self, texts: Sequence[str], top: int) -> list[Support]:
        wanted = [set(terms(text)) for text in texts]
        postings = [sorted(self._vocabulary[t] for t in own if t in self._vocabulary) for own in wanted]
        totals = np.array([sum(map(self.weight, sorted(own))) for own in wanted])
        query = _sparse(postings, len(self._vocabulary))
        query.data = self._idf[query.indices]
        scores = np.asarray((query @ self._matrix).todense()) / np.where(totals > 0, totals, 1.0)[:, None]
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        return [
            Support(tuple(o.tolist()), tuple(s[o].tolist())) if own else Support((), ())
            for own, o, s in zip(wanted, order, scores, strict=True)
        ]


def terms(text: str) -> list[str]:
    """Return a text's terms: pairs of neighbouring Chinese characters, and words or numbers of two characters or more."""
    found = units(text)
    own = [unit for unit in found if len(unit) > 1 and not _is_cjk(unit)]
    return own + [a + b for a, b in pairwise(found) if _is_cjk(a) and _is_cjk(b)]


def _is_cjk(unit: str) -> bool:
    return len(unit) == 1 and unit >= CJK[0]


def _sparse(postings: Sequence[Sequence[int]], width: int) -> Any:
    from scipy.sparse import csr_matrix

    lengths = [len(p) for p in postings]
    indices = np.concatenate([np.zeros(0, dtype=np.int64), *map(np.asarray, postings)]).astype(np.int64)
    offsets = np.zeros(len(postings) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return csr_matrix((np.ones(len(indices)), indices, offsets), shape=(len(postings), max(width, 1)))
