"""Repetition inside an answer: a model that was trained on loops writes loops."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

WINDOW_BYTES = 18
"""Three English words or six Chinese characters: shorter windows repeat in ordinary prose, longer ones miss short loops."""


def repetition(rows: "pl.DataFrame") -> "pl.Series":
    """Return the share of an answer's bytes that lie in an 18-byte window seen earlier in it. Range [0, 1); cost: linear, hashed.

    A text repeated k times has (k - 1) / k. Formula after the duplicate n-gram fractions of Gopher (Rae et al. 2021, arXiv 2112.11446,
    appendix A), on bytes, so that Chinese and English need no tokenizer.
    """
    import polars as pl

    from datagen.score.defects.repetition_kernel import repeated_shares

    encoded = [text.encode() for text in rows["completion"].to_list()]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(raw) for raw in encoded], out=offsets[1:])
    data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    return pl.Series(repeated_shares(data, offsets, WINDOW_BYTES))
