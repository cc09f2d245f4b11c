"""In which order chunks are visited, fixed by the documents alone, so that every prefix of a run covers them evenly.

A visit is one turn of one document. Documents take turns in a stable-hash order; a document's turns go through its chunks
in a stable-hash order. A chunk's first visit opens a batch of candidates (one ``propose`` call); every visit takes at most
``ROWS_PER_VISIT`` rows; later visits take what is left. Only when all batches of one attempt are used up does the next attempt begin.
"""

from collections.abc import Sequence
from typing import NamedTuple

from datagen.hashing import sha256_hex
from datagen.schemas.document import Chunk, Document

# Small enough that a hundred rows reach dozens of chunks, large enough that a paid response is not opened for one row.
ROWS_PER_VISIT = 3


class Visit(NamedTuple):
    """One turn: the document, and which of its chunks is opened now."""

    document: Document
    chunk: Chunk


def opening_order(documents: Sequence[Document], chunks: Sequence[Chunk], *, salt: str) -> list[Visit]:
    """Return every chunk once: first chunks of all documents, then second chunks, and so on.

    Chunks whose document is not among ``documents`` are left out. ``salt`` names the strategy, so that two strategies
    sharing a run begin with different chunks.
    """
    by_path = {document.path: document for document in documents}
    queues: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        if chunk.document in by_path:
            queues.setdefault(chunk.document, []).append(chunk)
    for path in queues:
        queues[path].sort(key=lambda c: sha256_hex(f"{salt}:{c.id}"))
    paths = sorted(queues, key=lambda path: sha256_hex(f"{salt}:{path}"))
    depth = max((len(queue) for queue in queues.values()), default=0)
    return [Visit(by_path[path], queues[path][i]) for i in range(depth) for path in paths if i < len(queues[path])]
