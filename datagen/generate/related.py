"""Other passages of a document, the most related to a chunk first."""

from datagen.ingest.chunk import chunk_document
from datagen.schemas.document import Chunk, Document
from datagen.text import units


def related_passages(document: Document, chunk: Chunk, *, max_tokens: int) -> list[Chunk]:
    """Return the passages of the document that do not overlap the chunk, by Jaccard similarity of their units; equals in text order.

    Args:
        document: cut anew into passages.
        chunk: one of its passages, however it was cut.
        max_tokens: budget of a passage.
    """
    own = frozenset(units(chunk.text))
    others = [c for c in chunk_document(document, max_tokens=max_tokens) if c.end <= chunk.start or c.start >= chunk.end]
    return sorted(others, key=lambda c: (-_jaccard(own, frozenset(units(c.text))), c.start))


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0
