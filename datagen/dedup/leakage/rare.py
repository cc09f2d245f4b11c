"""Rare long n-grams: a passage of 13 words (Chinese: 20 characters) that a training row and an evaluation row share and few others have.

What many rows share is a template or boilerplate and no leak. An evaluation about documents that *are* trained on (``recall``, ``gold``,
``vault``) shares evidence on purpose, and quotes it in questions, too; so only questions are compared there, with questions. Of every other
evaluation row the whole text counts.

Source: T. Brown et al., "Language Models are Few-Shot Learners", 2020, Appendix C: 13-grams, those in more than 10 training documents
ignored. 20 Chinese characters are about 13 words.
"""

from collections.abc import Sequence

import numpy as np

from datagen.dedup.kernels.column import Column
from datagen.dedup.kernels.native import shingle_sets
from datagen.dedup.leakage.rules import Leak
from datagen.dedup.overlap import OverlapIndex
from datagen.schemas.record import prompt_text, whole_text
from datagen.schemas.sample import Sample
from datagen.text import detect_language, units

WIDTH = {"zh": 20, "en": 13}
SHARING = frozenset({"recall", "gold", "vault"})
COMMON = 10
"""An n-gram in more training rows than this is no evidence of a leak."""


def find_rare_overlaps(train: Sequence[str], evaluation: Sequence[str]) -> list[Leak]:
    """Return pairs that share a rare n-gram, by training row, then evaluation row; ``score``: the share of the evaluation row's n-grams."""
    found: list[Leak] = []
    for language, width in WIDTH.items():
        own = [text if detect_language(text) == language and len(units(text)) >= width else "" for text in evaluation]
        wanted = shingle_sets(Column.of(own), width)
        index = OverlapIndex([wanted.row(i) if text else wanted.row(i)[:0] for i, text in enumerate(own)])
        sets = shingle_sets(Column.of(train), width)
        # A text shorter than a window is one shingle of its own width, which no window equals.
        _, which, counts = np.unique(sets.values, return_inverse=True, return_counts=True)
        rare = counts[which] <= COMMON
        for row in range(len(train)):
            windows = sets.row(row)[rare[sets.offsets[row] : sets.offsets[row + 1]]]
            rows, shared, sizes = index.overlaps(windows)
            scores = (shared / sizes).tolist()
            found += [Leak(row, i, "rare_ngram", score) for i, score in zip(rows.tolist(), scores, strict=True)]
    return sorted(found)


def find_rare_sample_overlaps(train: Sequence[Sample], evaluation: Sequence[Sample], *, shared_evidence: bool = False) -> list[Leak]:
    """The same over samples, prompts and completions together, by training row, then evaluation row.

    Args:
        train: training rows.
        evaluation: of rows tagged ``recall``, ``gold`` or ``vault`` only prompts are compared, with prompts.
        shared_evidence: treat every evaluation row so.
    """
    shared = [shared_evidence or s.tags.get("eval_set") in SHARING for s in evaluation]
    whole = ["" if own else whole_text(s.record) for s, own in zip(evaluation, shared, strict=True)]
    asked = [prompt_text(s.record) if own else "" for s, own in zip(evaluation, shared, strict=True)]
    found: list[Leak] = []
    if not all(shared):
        found += find_rare_overlaps([whole_text(s.record) for s in train], whole)
    if any(shared):
        found += find_rare_overlaps([prompt_text(s.record) for s in train], asked)
    return sorted(found)
