"""An index that answers at once whether a text is near one it holds: used while generating.

Signatures, bands and verification are those of :mod:`datagen.dedup.batch`, so both find the same pairs.
"""

from collections.abc import Sequence
from typing import NamedTuple

from datagen.dedup.compared import Compared, On, guard_numbers, of_record
from datagen.dedup.lsh import choose_bands, signature_keys
from datagen.dedup.minhash import signature
from datagen.dedup.shingle import Shingles, shingle
from datagen.schemas.sample import Sample
from datagen.text import fold


class Match(NamedTuple):
    """The nearest row found: its id and the exact Jaccard similarity in [0, 1]."""

    id: str
    similarity: float


class _Entry(NamedTuple):
    id: str
    row: Compared
    question: str
    shingles: frozenset[int]
    answer: frozenset[int]


class CompareIndex:
    """Rows by LSH band; candidates are verified by exact Jaccard on shingles, so there are no false matches."""

    def __init__(self, *, threshold: float = 0.7, ngram: int = 5) -> None:
        self._threshold = threshold
        self._ngram = ngram
        self._bands = choose_bands(threshold)
        self._buckets: dict[tuple[int, int], list[int]] = {}
        self._entries: list[_Entry] = []

    def add(self, identifier: str, row: Compared) -> None:
        shingles = shingle(row.text, self._ngram)
        for key in self._keys(shingles):
            self._buckets.setdefault(key, []).append(len(self._entries))
        self._entries.append(self._entry(identifier, row, shingles))

    def matches(self, row: Compared) -> Sequence[Match]:
        """Return all rows at or above the threshold, in the order they were added."""
        shingles = shingle(row.text, self._ngram)
        entry = self._entry("", row, shingles)
        candidates = sorted({position for key in self._keys(shingles) for position in self._buckets.get(key, ())})
        return [Match(other.id, s) for other in (self._entries[p] for p in candidates) if (s := self._similarity(entry, other)) is not None]

    def find(self, row: Compared) -> Match | None:
        """Return the most similar match (the first added among equals), or None."""
        return max(self.matches(row), key=lambda m: m.similarity, default=None)

    def _keys(self, shingles: Shingles) -> list[tuple[int, int]]:
        return signature_keys(signature(shingles), self._bands)

    def _entry(self, identifier: str, row: Compared, shingles: Shingles) -> _Entry:
        answer = frozenset(shingle(row.completion, self._ngram).tolist())
        return _Entry(identifier, row, fold(row.prompt), frozenset(shingles.tolist()), answer)

    def _similarity(self, a: _Entry, b: _Entry) -> float | None:
        """Return the similarity of near duplicates; None below the threshold, for other numbers, and for conflicts."""
        if a.row.guard != b.row.guard:
            return None
        similarity = _jaccard(a.shingles, b.shingles)
        conflict = a.question and a.question == b.question and _jaccard(a.answer, b.answer) < self._threshold
        return similarity if similarity >= self._threshold and not conflict else None


class NearIndex:
    """The same over samples; rows with different figures are different rows, a prompt answered differently is a conflict, not a match."""

    def __init__(self, *, threshold: float = 0.7, ngram: int = 5, on: On = "both") -> None:
        self._on: On = on
        self._index = CompareIndex(threshold=threshold, ngram=ngram)

    def add(self, sample: Sample) -> None:
        self._index.add(sample.id, self._compared(sample))

    def find(self, sample: Sample) -> Match | None:
        return self._index.find(self._compared(sample))

    def _compared(self, sample: Sample) -> Compared:
        return guard_numbers(of_record(sample.record, self._on))


def _jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    """Return what :func:`datagen.dedup.shingle.jaccard` does; for one small set against many, sets are several times faster than arrays."""
    common = len(a & b)
    return common / (len(a) + len(b) - common) if a or b else 1.0
