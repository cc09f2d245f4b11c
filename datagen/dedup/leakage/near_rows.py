"""Questions changed a little: too few words for 5-grams to agree. In a question of ten units one changed unit breaks five of six 5-grams.

Three ways to be near, figures left alone in all:

* the questions alike and the answers alike, too: by question alone, "which floor is the gym on?" and "... the spa on?" cannot be told from
  one question with a wrong word, but their answers differ;
* the questions alike, whatever the answers, and the one an edit of the other (:mod:`datagen.dedup.leakage.edits`);
* the one question inside the other (rule ``containment``): text put before or after it, no longer than itself; where more surrounds it, it
  may be named as a heading only, and the answers must be alike.

Alike: 2-grams by Dice's coefficient; units by the same, where words were moved or many dropped.

Source: L. R. Dice, "Measures of the amount of ecologic association between species", 1945.
"""

from collections.abc import Sequence

import numpy as np

from datagen.dedup.leakage.edits import bag_similarity, is_edited, same_figures
from datagen.dedup.leakage.rules import Hit, Leak
from datagen.dedup.overlap import OverlapIndex
from datagen.dedup.shingle import numbers, shingle
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.text import fold, units

ALIKE = 0.75
"""One unit in ten changed leaves four of five 2-grams; in a question of ten units, seven of nine."""
ALIKE_UNITS = 0.85
"""One unit in ten changed leaves nine of ten units, whatever became of their order."""
CANDIDATE = 0.5
"""Least similarity of 2-grams of questions alike by their units: clauses may have moved, words may not be shuffled."""
INSIDE = 0.9
INSIDE_UNITS = 7
"""A shorter question inside another is a phrase ("when do you open"), not the same question."""


class NearRowIndex:
    """Evaluation rows, indexed once by the 2-grams of their questions."""

    def __init__(self, evaluation: Sequence[Sample]) -> None:
        self._questions = [prompt_text(s.record) for s in evaluation]
        self._units = [units(q) for q in self._questions]
        self._answers = [completion_text(s.record) for s in evaluation]
        self._index = OverlapIndex([shingle(q, 2) for q in self._questions])

    def all(self, sample: Sample) -> list[Hit]:
        """Return the rows that ``sample`` is near, by row; ``score`` is the questions' similarity (``containment``: the share inside)."""
        question, answer = prompt_text(sample.record), completion_text(sample.record)
        if not question.strip():
            return []
        own, words = shingle(question, 2), units(question)
        rows, common, sizes = self._index.overlaps(own)
        alike, inside = 2 * common / (len(own) + sizes), common / np.minimum(len(own), sizes)
        likely = (alike >= CANDIDATE) | (inside >= INSIDE)
        pairs = zip(rows[likely].tolist(), alike[likely].tolist(), inside[likely].tolist(), strict=True)
        found = (self._compare(question, words, answer, i, *likeness) for i, *likeness in pairs)
        return [hit for hit in found if hit is not None]

    def _compare(self, question: str, words: list[str], answer: str, i: int, alike: float, inside: float) -> Hit | None:
        other = self._units[i]
        bag = bag_similarity(words, other)
        near = alike >= ALIKE or (alike >= CANDIDATE and bag >= ALIKE_UNITS)
        shorter, longer = sorted((len(words), len(other)))
        contained = inside >= INSIDE and shorter >= INSIDE_UNITS
        if not (near or contained) or not same_figures(question, self._questions[i]):
            return None
        answered_alike = answers_alike(answer, self._answers[i])
        if near and (answered_alike or is_edited(words, other)):
            return Hit(i, "near_duplicate", max(alike, bag))
        return Hit(i, "containment", inside) if contained and (answered_alike or longer <= 2 * shorter) else None


def find_near_rows(train: Sequence[Sample], evaluation: Sequence[Sample]) -> list[Leak]:
    """Return near pairs, by training row, then evaluation row."""
    index = NearRowIndex(evaluation)
    return [Leak(row, *hit) for row, sample in enumerate(train) for hit in index.all(sample)]


def answers_alike(a: str, b: str) -> bool:
    """Tell whether two answers say the same in almost the same words; a blank one is like none."""
    if not a.strip() or not b.strip():
        return False
    if units(a) == units(b):
        return bool(units(a)) or fold(a) == fold(b)
    own, other = shingle(a, 2), shingle(b, 2)
    common = len(set(own.tolist()) & set(other.tolist()))
    return 2 * common >= ALIKE * (len(own) + len(other)) and numbers(a) == numbers(b)
