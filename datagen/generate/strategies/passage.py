"""``passage``: each chunk as it stands, for continued pre-training; no model, one row a chunk.

The exam takes other passages of the same documents, and documents held out whole. Reasons: ``too_short``.

Source: S. Gururangan et al., "Don't stop pretraining: Adapt language models to domains and tasks", ACL 2020 (arXiv 2004.10964).
"""

from datagen.generate.candidate import Candidates
from datagen.generate.strategy import Purpose
from datagen.hashing import fingerprint
from datagen.schemas.document import Chunk, Document
from datagen.schemas.record import TextRecord
from datagen.schemas.sample import EvidenceSpan, Provenance, Sample
from datagen.schemas.stage import Dropped
from datagen.text import units

RULES_VERSION = 1
SHORTEST = 16
"""Units (Chinese characters, words) of the shortest passage worth reading: a heading alone is none."""


class Passage:
    """The strategy (see the module)."""

    name = "passage"

    def fingerprint(self) -> str:
        """Return a hash of the rules."""
        return fingerprint([self.name, RULES_VERSION])

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        """Return the chunk at the first attempt, nothing at later ones."""
        del purpose
        if attempt:
            return Candidates([], [])
        span = EvidenceSpan(document=document.path, start=chunk.start, end=chunk.end, quote=chunk.text)
        provenance = Provenance(
            document=document.path,
            document_sha256=document.sha256,
            chunk_id=chunk.id,
            heading_path=chunk.heading_path,
            evidence=(span,),
            strategy=self.name,
        )
        sample = Sample.of(TextRecord(text=chunk.text), provenance=provenance, tags={"language": chunk.language, "row_style": "task"})
        if len(units(chunk.text)) < SHORTEST:
            return Candidates([], [Dropped(sample, "too_short", f"fewer than {SHORTEST} words")])
        return Candidates([sample], [])
