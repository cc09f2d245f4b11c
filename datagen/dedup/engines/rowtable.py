"""Rows as deduplication compares them, column by column."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from datagen.dedup.compared import Compared
from datagen.dedup.kernels.column import Column, Texts
from datagen.text import fold

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class RowTable:
    """``rows`` rows; see :class:`datagen.dedup.compared.Compared` for what each column means.

    ``identity``: equal bytes are exact duplicates. ``questions``: hash of the folded prompt, 0 where there is none. ``guards``: hash of
    the guard, 0 for None. Plain texts have no completions, questions or guards: these columns are None.
    """

    text: Texts
    identity: Texts
    completion: Texts | None = None
    questions: Hashes | None = None
    guards: Hashes | None = None

    @property
    def rows(self) -> int:
        return self.text.rows

    @classmethod
    def of_texts(cls, text: Texts) -> "RowTable":
        """Compare plain texts; only equal strings are identical."""
        return cls(text, text)

    @classmethod
    def of(cls, rows: Sequence[Compared]) -> "RowTable":
        questions = np.array([hash_text(fold(row.prompt)) if row.prompt else 0 for row in rows], dtype=np.uint64)
        guards = np.array([0 if row.guard is None else hash_text(_written(row.guard)) for row in rows], dtype=np.uint64)
        asked = bool(questions.any())
        return cls(
            Column.of(row.text for row in rows),
            Column.of_bytes([row.identity for row in rows]),
            Column.of(row.completion for row in rows) if asked else None,
            questions if asked else None,
            guards if guards.any() else None,
        )


def hash_text(text: str) -> int:
    """Return a 64-bit hash of a text, never 0."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") or 1


def _written(guard: Hashable) -> str:
    # Guards are None, booleans, strings and tuples of them, which Python writes unambiguously.
    return repr(guard)
