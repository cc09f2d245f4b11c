"""The seam between the runner and everything that can turn a chunk into samples."""

from typing import Literal, Protocol

from datagen.generate.candidate import Candidates
from datagen.schemas.document import Chunk, Document

Purpose = Literal["train", "exam"]


class Strategy(Protocol):
    """A way to turn one chunk into samples.

    ``propose`` is deterministic in (chunk, purpose, attempt): the same call gives the same samples in the same order
    (LLM strategies through the response store). Attempts 0, 1, 2, ... are top-up rounds over the same chunk and should
    bring something new each; an attempt with nothing left returns empty candidates.
    """

    @property
    def name(self) -> str:
        """Stable name written to provenance, e.g. ``extractive`` or ``qa``."""
        ...

    def fingerprint(self) -> str:
        """Return a sha256 over everything that changes the output: prompts, parameters, rules."""
        ...

    async def propose(self, document: Document, chunk: Chunk, *, purpose: Purpose, attempt: int) -> Candidates:
        """Return the ``attempt``-th batch of samples for ``chunk``; samples carry full provenance and tags."""
        ...
