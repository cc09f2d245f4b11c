"""Texts as sets of hashed n-grams over units: one unit per CJK character, one per word or number.

``"退房时间是12点"`` has the units 退 房 时 间 是 12 点 and, with ``ngram=5``, four shingles. Hashes take no seed and do not
depend on the machine: a unit is hashed by a cyclic polynomial over its code points, an n-gram by a polynomial over its units' hashes
modulo 2**64, both finished with MurmurHash3's mixer. :mod:`datagen.dedup.kernels.windows` computes the same for many texts at once.

Source: A. Broder, "On the resemblance and containment of documents", 1997; cyclic
polynomials: J. D. Cohen, "Recursive hashing functions for n-grams", 1997; mixer: A. Appleby, MurmurHash3, ``fmix64``.
"""

import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from datagen.text import fold, units

Shingles = npt.NDArray[np.uint64]
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
BASE = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
SHIFT = np.uint64(33)
ROTATION = 11
_MASK = (1 << 64) - 1


def shingle(text: str, ngram: int) -> Shingles:
    """Return the sorted distinct 64-bit hashes of a text's n-grams, dtype uint64, shape (k,).

    A text of fewer than ``ngram`` units is one shingle, so that short texts equal only themselves; a text without units (only punctuation
    or emoji) is one shingle of its folded characters; an empty text has none.
    """
    found = units(text)
    if not found:
        folded = fold(text)
        return np.array([_unit_hash(f"\x00{folded}")] if folded else [], dtype=np.uint64)
    hashes = np.fromiter(map(_unit_hash, found), dtype=np.uint64, count=len(found))
    return np.unique(_windows(hashes, min(ngram, len(found))))


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
    """Return the numbers of a text, repeated as often as they occur, sorted: two rows with different figures are two rows."""
    return tuple(sorted(NUMBER.findall(fold(text))))


@lru_cache(maxsize=1 << 17)
def _unit_hash(unit: str) -> int:
    h = 0
    for character in unit:
        h = ((h << ROTATION | h >> 64 - ROTATION) + ord(character) * int(BASE)) & _MASK
    h = (h ^ h >> 33) * int(MIX_1) & _MASK
    h = (h ^ h >> 33) * int(MIX_2) & _MASK
    return h ^ h >> 33


def _windows(hashes: Shingles, width: int) -> Shingles:
    """Hash every window of ``width`` units; the width is part of the hash, so windows of different widths never match."""
    count = len(hashes) - width + 1
    mixed = np.full(count, width, dtype=np.uint64)
    for offset in range(width):
        mixed = mixed * BASE + hashes[offset : offset + count]
    mixed = (mixed ^ (mixed >> SHIFT)) * MIX_1
    mixed = (mixed ^ (mixed >> SHIFT)) * MIX_2
    return mixed ^ (mixed >> SHIFT)
