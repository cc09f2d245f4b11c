"""Leakage between a training set and what it will be judged on."""

from datagen.dedup.leakage.rules import Hit, Leak, LeakIndex, find_leaks
from datagen.dedup.leakage.samples import (
    SHORT_ANSWER,
    SampleHit,
    SampleLeakIndex,
    find_sample_leaks,
    long_answer_of,
    question_of,
)

__all__ = [
    "SHORT_ANSWER",
    "Hit",
    "Leak",
    "LeakIndex",
    "SampleHit",
    "SampleLeakIndex",
    "find_leaks",
    "find_sample_leaks",
    "long_answer_of",
    "question_of",
]
