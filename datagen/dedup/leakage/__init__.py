"""Leakage between a training set and what it will be judged on."""

from datagen.dedup.leakage.rules import (
    SHORT_ANSWER,
    Hit,
    Leak,
    LeakIndex,
    find_leaks,
    find_sample_leaks,
    long_answer_of,
    question_of,
)

__all__ = ["SHORT_ANSWER", "Hit", "Leak", "LeakIndex", "find_leaks", "find_sample_leaks", "long_answer_of", "question_of"]
