"""Texts as sets of hashed n-grams over units: one unit per CJK character, one per word or number."""

import re
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from datagen.text import fold, units

Shingles = npt.NDArray[np.uint64]
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


def shingle(text: str, ngram: int) -> Shingles:
    """Return the sorted distinct 64-bit hashes of a text's n-grams, dtype uint64, shape (k,).

    A text of fewer than ``ngram`` units is one shingle, so that short texts equal only themselves; a text without units
    (punctuation only) is one shingle of its folded characters; an empty text has none. Hashes are blake2b: the same on every machine.
    """
    found = units(text)
    if not found:
        folded = fold(text)
        return np.array([_hash(f"\x01{folded}")] if folded else [], dtype=np.uint64)
    if len(found) < ngram:
        return np.array([_hash("\x00".join(found))], dtype=np.uint64)
    grams = {"\x00".join(found[i : i + ngram]) for i in range(len(found) - ngram + 1)}
    return np.array(sorted(_hash(gram) for gram in grams), dtype=np.uint64)


def jaccard(a: Shingles, b: Shingles) -> float:
    """Return |a ∩ b| / |a ∪ b| of two shingle sets in [0, 1]; two empty sets are equal (1.0)."""
    if not len(a) and not len(b):
        return 1.0
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)


def containment(part: Shingles, whole: Shingles) -> float:
    """Return |part ∩ whole| / |part| in [0, 1]; 0 for an empty part."""
    return len(np.intersect1d(part, whole, assume_unique=True)) / len(part) if len(part) else 0.0


def numbers(text: str) -> tuple[str, ...]:
    """Return the numbers of a text in order of value text, for comparison: two rows with different figures are two rows."""
    return tuple(sorted(NUMBER.findall(fold(text))))


def _hash(gram: str) -> int:
    return int.from_bytes(blake2b(gram.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
