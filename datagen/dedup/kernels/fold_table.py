"""What folding does to each code point, as a table that compiled loops can read.

:func:`datagen.text.fold` is NFKC and case folding; :func:`datagen.text.units` then takes one unit per CJK character and one per run of
other word characters. Both act on a code point without regard to its neighbours, unless one of them can combine with what stands before it
(combining marks, Hangul vowels): such a text is marked *complex* and folded by Python first. White space needs no care, since no unit
holds any.

An entry is ``kind << 24 | value``: what a code point folds to (SEPARATOR, WORD, CJK), or where in ``sequences`` its several code points
lie (SEQUENCE: a length, then entries), or COMPLEX.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datagen.text import CJK as CJK_CLASS

SEPARATOR, WORD, CJK, SEQUENCE, COMPLEX = range(5)
SIZE = 0x20000
"""Code points from here on are rare: a text that holds one is complex."""
_IS_CJK = re.compile(f"[{CJK_CLASS}]")
# Ranges in which folding changes nothing and every code point is one CJK unit.
_IDEOGRAPHS = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xAC00, 0xD7A4))
_SURROGATES = range(0xD800, 0xE000)
_HANGUL_VOWELS_AND_FINALS = (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))


Entries = npt.NDArray[np.uint32]


class FoldTable(NamedTuple):
    """``entries``: uint32 of shape (0x20000,); ``sequences``: uint32."""

    entries: Entries
    sequences: Entries


@cache
def fold_table() -> FoldTable:
    """Return the table for texts as they are. Takes under 0.1 s, once a process."""
    entries = _ideographs()
    points = [p for p in range(1, SIZE) if not entries[p] and p not in _SURROGATES]
    characters = list(map(chr, points))
    # One call for all: nothing composes across U+0000.
    joined = "\0".join(characters)
    folded = unicodedata.normalize("NFKC", joined).casefold().split("\0")
    leading = [parts[0] for parts in unicodedata.normalize("NFKD", joined).split("\0")]
    seconds = {*map(chr, _HANGUL_VOWELS_AND_FINALS), *_composing_seconds(characters)}
    singles = [text if len(text) == 1 else "\0" for text in folded]
    entries[points] = _entries("".join(singles))
    sequences: list[int] = []
    for at, text in enumerate(folded):
        if len(text) != 1:
            entries[points[at]] = SEQUENCE << 24 | len(sequences)
            sequences += [len(text), *_entries(text).tolist()]
    for at, (character, combining) in enumerate(zip(leading, map(unicodedata.combining, leading), strict=True)):
        if combining or character in seconds:
            entries[points[at]] = COMPLEX << 24
    return FoldTable(entries, np.array(sequences, dtype=np.uint32))


@cache
def folded_table() -> FoldTable:
    """Return the table for texts that Python has folded already: every code point stands for itself."""
    entries = _ideographs()
    points = np.flatnonzero(entries == 0)
    entries[points] = _entries("".join(map(chr, points.tolist())))
    return FoldTable(entries, np.zeros(1, dtype=np.uint32))


def _ideographs() -> Entries:
    entries = np.zeros(SIZE, dtype=np.uint32)
    for start, end in _IDEOGRAPHS:
        entries[start:end] = np.arange(start, end, dtype=np.uint32) | np.uint32(CJK << 24)
    return entries


def _entries(text: str) -> Entries:
    """Return the entry of every character of a text."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    words = np.fromiter(map(str.isalnum, text), dtype=np.bool_, count=len(text))
    kinds = words.astype(np.uint32) * np.uint32(WORD)
    kinds[[match.start() for match in _IS_CJK.finditer(text)]] = CJK
    return points | kinds << np.uint32(24)


def _composing_seconds(characters: list[str]) -> Iterator[str]:
    """Yield every character that can combine with the one before it."""
    for decomposition in filter(None, map(unicodedata.decomposition, characters)):
        parts = decomposition.split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            yield chr(int(parts[1], 16))
