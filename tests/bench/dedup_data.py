"""Texts with known duplicates, made from a seed: what the deduplication benches run on."""

import random
from typing import NamedTuple

import numpy as np

VOCABULARY = 50_000
_SYLLABLES = [c + v for c in "bcdfghjklmnprstvw" for v in "aeiou"]


class Texts(NamedTuple):
    """``texts`` and, per text, the text it was copied from (itself if it is new)."""

    texts: list[str]
    source: list[int]


def english_like(rows: int, *, words: int = 100, seed: int = 7, copies: bool = True) -> Texts:
    """Return texts of lower-case words apart by single spaces, so that every program's cheapest tokenizer gives the same words.

    Word frequencies follow Zipf's law over 50,000 words; lengths are log-normal with the mean ``words``; 5 % are exact copies of an
    earlier text and 10 % copies with one word in thirty replaced (none without ``copies``).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    draw = random.Random(seed)
    vocabulary = np.array(["".join(draw.choices(_SYLLABLES, k=draw.choice((1, 2, 2, 3, 3, 4)))) for _ in range(VOCABULARY)], dtype=object)
    ranks = np.arange(1, VOCABULARY + 1)
    cumulative = np.cumsum(1 / ranks**1.05)
    lengths = np.maximum(rng.lognormal(np.log(words) - 0.125, 0.5, rows).astype(int), 8)
    kinds = rng.random(rows)
    texts: list[str] = []
    source: list[int] = []
    for i in range(rows):
        if i and copies and kinds[i] < 0.15:
            j = int(rng.integers(i))
            own = texts[j].split(" ")
            if kinds[i] >= 0.05:
                for at in rng.integers(len(own), size=max(len(own) // 30, 1)):
                    own[at] = str(vocabulary[int(rng.integers(VOCABULARY))])
            texts.append(" ".join(own))
            source.append(source[j])
        else:
            picked = np.searchsorted(cumulative, rng.random(lengths[i]) * cumulative[-1])
            texts.append(" ".join(vocabulary[picked]))
            source.append(i)
    return Texts(texts, source)


def chinese_like(rows: int, *, words: int = 100, seed: int = 7, copies: bool = False) -> Texts:
    """Return texts of Chinese characters, about 1.6 to a word, without copies; frequencies of words follow Zipf's law."""
    if copies:
        raise ValueError("only texts without copies are made of Chinese characters")
    rng = np.random.Generator(np.random.PCG64(seed))
    lengths = rng.choice((1, 2, 2, 3), 20_000)
    vocabulary = np.array(["".join(chr(0x4E00 + int(c)) for c in rng.integers(0, 3500, n)) for n in lengths], dtype=object)
    cumulative = np.cumsum(1 / np.arange(1, len(vocabulary) + 1) ** 1.05)
    counts = np.maximum(rng.lognormal(np.log(words) - 0.125, 0.5, rows).astype(int), 8)
    texts = ["".join(vocabulary[np.searchsorted(cumulative, rng.random(n) * cumulative[-1])]) for n in counts]
    return Texts(texts, list(range(rows)))
