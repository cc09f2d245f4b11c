"""Diversity of wording: distinct-n, compression ratio, self-repetition. Units are words, in Chinese characters."""

import zlib
from collections import Counter
from collections.abc import Sequence
from math import log


def distinct_n(texts: Sequence[Sequence[str]], n: int = 2) -> float:
    """Return distinct n-grams over all n-grams, within texts. Range [0, 1]; larger is more varied; falls with size: use equal budgets.

    Source: Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models", NAACL 2016, arXiv 1510.03055.
    """
    grams = [gram for text in texts for gram in _grams(text, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def compression_ratio(text: str) -> float:
    """Return bytes over zlib-compressed bytes (level 9). Range (0, inf); larger is *less* varied; grows with size: use equal budgets.

    Source: Shaib et al., "Standardizing the Measurement of Text Diversity", 2024, arXiv 2403.00553, section 3.1 (they use gzip: the
    same algorithm with a longer header).
    """
    raw = text.encode("utf-8", "replace")
    return len(raw) / len(zlib.compress(raw, 9)) if raw else 0.0


def self_repetition(texts: Sequence[Sequence[str]], n: int = 4) -> float:
    """Return the mean over texts of ``log(1 + k)``, k the number of times a text's distinct n-grams occur in other texts.

    Range [0, inf); larger is *less* varied.
    Source: Salkar et al., "Self-Repetition in Abstractive Neural Summarizers", AACL 2022, arXiv 2210.08145, as corrected for long texts in
    Shaib et al. 2024 (arXiv 2403.00553): each n-gram counts once a text.
    """
    if not texts:
        return 0.0
    own = [set(_grams(text, n)) for text in texts]
    counts = Counter(gram for grams in own for gram in grams)
    return sum(log(1 + sum(counts[gram] for gram in grams) - len(grams)) for grams in own) / len(texts)


def evenness(sizes: Sequence[int]) -> float:
    """Return Pielou's evenness of group sizes: entropy over the log of the number of groups. Range [0, 1]; 1 for one group or equal ones.

    Source: E. C. Pielou, "The measurement of diversity in different types of biological collections", 1966.
    """
    kept = [size for size in sizes if size > 0]
    if len(kept) < 2:
        return 1.0
    total = sum(kept)
    return -sum(size / total * log(size / total) for size in kept) / log(len(kept))


def _grams(text: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
