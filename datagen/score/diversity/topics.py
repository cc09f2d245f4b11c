"""Topics: clusters of rows in the embedding, named by their own key terms, Chinese and English.

Clusters are k-means with a fixed seed; k is the square root of half the rows, 2 to 20. Terms are ranked by class-based TF-IDF (Grootendorst
2022, arXiv 2203.05794). English terms are words and pairs of words; Chinese ones are strings of two to four characters that hold together:
no dictionary is needed, and a company's own names are found as well as any.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, sqrt

import numpy as np
import numpy.typing as npt

from datagen.dedup.semantic.vectors import Vectors
from datagen.score.diversity.lexical import evenness
from datagen.text import CJK, fold

_RUN = re.compile(f"[{CJK}]+")
_WORD = re.compile(r"[a-z][a-z'\-]+")
# Characters that join words rather than being part of a term.
_JOINTS = frozenset(
    "的了是在和与或及并而且也都就不没有我你您他她它们这那个其之以为于从到对把被将会能可要请"
    "吗呢吧啊什么怎哪些多少几如何请问需一二三所得着过任各完"
)
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Topic:
    """A cluster: positions of its rows in what was clustered, and its key terms, best first. ``share`` is of clustered rows."""

    rows: tuple[int, ...]
    terms: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Topics:
    """Topics, largest first; ``evenness`` in [0, 1] says how evenly rows fall on them; ``of_row`` gives each row's topic."""

    topics: tuple[Topic, ...]
    evenness: float
    of_row: tuple[int, ...]


def find_topics(texts: Sequence[str], vectors: Vectors) -> Topics:
    """Cluster rows and name the clusters. Deterministic; cost dominated by k-means on (n, d)."""
    labels = _cluster(vectors)
    counts: Counter[int] = Counter(labels.tolist())
    order = sorted(counts, key=lambda label: (-counts[label], label))
    number = {label: i for i, label in enumerate(order)}
    of_row = tuple(number[label] for label in labels.tolist())
    terms = _key_terms([[texts[i] for i in range(len(texts)) if of_row[i] == t] for t in range(len(order))])
    topics = tuple(
        Topic(tuple(i for i, t in enumerate(of_row) if t == topic), terms[topic], counts[order[topic]] / max(len(texts), 1))
        for topic in range(len(order))
    )
    return Topics(topics, evenness(list(counts.values())), of_row)


def terms_of(text: str) -> list[str]:
    """Return a text's candidate terms: English words and pairs without function words, Chinese strings of 2 to 4 characters."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    folded = fold(text)
    words = [word for word in _WORD.findall(folded) if len(word) > 2]
    found = [word for word in words if word not in ENGLISH_STOP_WORDS]
    found += [f"{a} {b}" for a, b in pairwise(words) if not {a, b} & ENGLISH_STOP_WORDS]
    for run in _RUN.findall(folded):
        pieces = re.split(f"[{''.join(_JOINTS)}]", run)
        found += [piece[i : i + n] for piece in pieces for n in (2, 3, 4) for i in range(len(piece) - n + 1)]
    return found


def _cluster(vectors: Vectors) -> npt.NDArray[np.int64]:
    from sklearn.cluster import KMeans

    n = len(vectors)
    distinct = len(np.unique(vectors, axis=0))
    k = min(max(2, round(sqrt(n / 2))), 20, distinct)
    if n < 8 or k < 2:
        return np.zeros(n, dtype=np.int64)
    return KMeans(k, n_init=2, random_state=0).fit_predict(vectors).astype(np.int64)  # pyright: ignore[reportArgumentType]


def _key_terms(groups: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """Rank terms by ``tf * log(1 + A / f)``: tf in the cluster (rows with the term), f over all clusters, A the mean cluster size."""
    counted = [Counter(term for text in group for term in set(terms_of(text))) for group in groups]
    total: Counter[str] = Counter()
    for counts in counted:
        total.update(counts)
    average = sum(map(len, groups)) / max(len(groups), 1)
    named: list[tuple[str, ...]] = []
    for counts, group in zip(counted, groups, strict=True):
        least = 2 if len(group) > 3 else 1
        scored = {term: n * log(1 + average / total[term]) * _weight(term) for term, n in counts.items() if n >= least}
        named.append(_without_parts(sorted(scored, key=lambda term: (-scored[term], term)), counts))
    return named


def _weight(term: str) -> float:
    """Prefer what says more where frequencies are alike."""
    return 1.0 + 0.15 * (len(term) - 2) if _RUN.match(term) else (1.3 if " " in term else 1.0)


def _without_parts(ranked: Sequence[str], counts: Counter[str]) -> tuple[str, ...]:
    """Take the best terms, none a part of another (or overlapping it by all but one character) with about the same rows."""
    chosen: list[str] = []
    for term in ranked[:80]:
        if not any(_overlap(term, other) for other in chosen):
            chosen.append(term)
        if len(chosen) == _SHOWN:
            break
    return tuple(chosen)


def _overlap(a: str, b: str) -> bool:
    if a in b or b in a:
        return True
    if not _RUN.match(a):
        return bool(set(a.split()) & set(b.split()))
    n = min(len(a), len(b)) - 1
    return a[-n:] == b[:n] or b[-n:] == a[:n]
