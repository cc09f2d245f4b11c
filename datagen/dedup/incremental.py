"""An index that answers at once whether a text is near one it holds: used while generating, and by the exam's guard."""

from collections.abc import Hashable
from typing import Literal, NamedTuple

from datagen.dedup.minhash import band_keys, bands_and_rows, signature
from datagen.dedup.shingle import Shingles, jaccard, numbers, shingle
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample

On = Literal["prompt", "completion", "both"]


class Match(NamedTuple):
    """The nearest text found: its id and the exact Jaccard similarity in [0, 1]."""

    id: str
    similarity: float


def text_of(sample: Sample, on: On) -> str:
    """Return the part of a sample that is compared."""
    if on == "prompt":
        return prompt_text(sample.record)
    if on == "completion":
        return completion_text(sample.record)
    return f"{prompt_text(sample.record)}\n{completion_text(sample.record)}"


class TextIndex:
    """Texts by LSH band; candidates are verified by exact Jaccard on shingles, so there are no false matches.

    With ``numbers_matter`` two texts match only if they hold the same numbers: "standard room 300" and "suite 500" share a
    template, not a fact.
    """

    def __init__(self, *, threshold: float = 0.7, ngram: int = 5, numbers_matter: bool = False) -> None:
        self._threshold = threshold
        self._ngram = ngram
        self._numbers_matter = numbers_matter
        self._bands, self._rows = bands_and_rows(threshold)
        self._buckets: dict[bytes, list[int]] = {}
        self._ids: list[str] = []
        self._shingles: list[Shingles] = []
        self._numbers: list[Hashable] = []

    def add(self, identifier: str, text: str) -> None:
        shingles = shingle(text, self._ngram)
        position = len(self._ids)
        self._ids.append(identifier)
        self._shingles.append(shingles)
        self._numbers.append(numbers(text) if self._numbers_matter else None)
        for key in band_keys(signature(shingles), self._bands, self._rows):
            self._buckets.setdefault(key, []).append(position)

    def matches(self, text: str) -> list[Match]:
        """Return all texts at or above the threshold, in the order they were added."""
        shingles = shingle(text, self._ngram)
        figures = numbers(text) if self._numbers_matter else None
        keys = band_keys(signature(shingles), self._bands, self._rows)
        candidates = sorted({position for key in keys for position in self._buckets.get(key, ())})
        found = [(p, jaccard(shingles, self._shingles[p])) for p in candidates if self._numbers[p] == figures]
        return [Match(self._ids[p], similarity) for p, similarity in found if similarity >= self._threshold]

    def find(self, text: str) -> Match | None:
        """Return the most similar match (the first added among equals), or None."""
        return max(self.matches(text), key=lambda m: m.similarity, default=None)


class NearIndex:
    """A :class:`TextIndex` over samples; rows with different figures are different rows."""

    def __init__(self, *, threshold: float = 0.7, ngram: int = 5, on: On = "both") -> None:
        self._on: On = on
        self._index = TextIndex(threshold=threshold, ngram=ngram, numbers_matter=True)

    def add(self, sample: Sample) -> None:
        self._index.add(sample.id, text_of(sample, self._on))

    def find(self, sample: Sample) -> Match | None:
        return self._index.find(text_of(sample, self._on))
