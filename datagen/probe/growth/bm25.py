"""Finding the passages for a question: BM25 by bm25s, on units that hold for Chinese and English."""

import re
from collections.abc import Sequence
from itertools import pairwise

from datagen.errors import MissingExtra, UsageError
from datagen.schemas.document import Chunk
from datagen.schemas.sample import Sample
from datagen.text import CJK, units

_CJK = re.compile(f"[{CJK}]")


def terms(text: str) -> list[str]:
    """Split into words, and Chinese into characters and pairs of neighbours: pairs tell words apart without a segmenter.

    Source of the pairs: Lucene's CJKAnalyzer.
    """
    singles = units(text)
    pairs = [a + b for a, b in pairwise(singles) if _CJK.fullmatch(a) and _CJK.fullmatch(b)]
    return singles + pairs


class PassageIndex:
    """Chunks, found by BM25 (Lucene's form, k1 1.5, b 0.75). Deterministic; ties go to the earlier chunk.

    Raises:
        MissingExtra: bm25s is not installed.
        UsageError: no chunks.
    """

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        try:
            import bm25s
        except ImportError as error:
            raise MissingExtra.of("retrieval", "retrieval") from error
        if not chunks:
            raise UsageError("there is no document to retrieve from", hint="give the documents the rows were made from with --docs DIR")
        self.chunks = list(chunks)
        self._index = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
        self._index.index([terms(c.text) for c in self.chunks], show_progress=False)

    def search(self, question: str, *, k: int) -> list[Chunk]:
        """Return the ``k`` best chunks, best first; fewer if fewer share a term with the question."""
        known = [t for t in terms(question) if t in self._index.vocab_dict]
        if not known:
            return []
        scores = self._index.get_scores(known)
        order = sorted(range(len(scores)), key=lambda i: (-float(scores[i]), i))
        return [self.chunks[i] for i in order[:k] if scores[i] > 0]


def holds_evidence(sample: Sample, chunks: Sequence[Chunk]) -> bool | None:
    """Say whether one of the chunks holds all of one of the sample's evidence spans; None if the sample has none."""
    spans = sample.provenance.evidence
    if not spans:
        return None
    return any(c.document == s.document and c.start <= s.start and s.end <= c.end for c in chunks for s in spans)
