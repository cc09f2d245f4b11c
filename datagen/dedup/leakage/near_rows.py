"""Rows copied with a few words of the question changed: too few words for 5-grams to agree, but the answer gives the copy away.

In a question of ten units one changed unit breaks five of six 5-grams. By question alone such a pair cannot be told from two questions of
one template ("which floor is the gym on?", "... the spa on?"), whose answers differ. So both must be alike: the questions' 2-grams by
Dice's coefficient, figures left alone, and the answers, equal or alike with the same figures.

Source: L. R. Dice, "Measures of the amount of ecologic association between species", 1945.
"""

from collections.abc import Sequence

from datagen.dedup.leakage.rules import Hit, Leak
from datagen.dedup.overlap import OverlapIndex
from datagen.dedup.shingle import numbers, shingle
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.text import fold, units

ALIKE = 0.75
"""One unit in ten changed leaves four of five 2-grams; in a question of ten units, seven of nine."""


class NearRowIndex:
    """Evaluation rows, indexed once by the 2-grams of their questions."""

    def __init__(self, evaluation: Sequence[Sample]) -> None:
        self._questions = [prompt_text(s.record) for s in evaluation]
        self._answers = [completion_text(s.record) for s in evaluation]
        self._index = OverlapIndex([shingle(q, 2) if q.strip() else shingle("", 1) for q in self._questions])

    def all(self, sample: Sample) -> list[Hit]:
        """Return the rows with an alike question and an alike answer, by row; ``score`` is the questions' similarity."""
        question, answer = prompt_text(sample.record), completion_text(sample.record)
        if not question.strip() or not answer.strip():
            return []
        own = shingle(question, 2)
        rows, common, sizes = self._index.overlaps(own)
        scores = 2 * common / (len(own) + sizes)
        near = scores >= ALIKE
        return [
            Hit(i, "near_duplicate", score)
            for i, score in zip(rows[near].tolist(), scores[near].tolist(), strict=True)
            if _same_figures(question, self._questions[i]) and _answers_alike(answer, self._answers[i])
        ]


def find_near_rows(train: Sequence[Sample], evaluation: Sequence[Sample]) -> list[Leak]:
    """Return pairs with alike questions and alike answers, by training row, then evaluation row."""
    index = NearRowIndex(evaluation)
    return [Leak(row, *hit) for row, sample in enumerate(train) for hit in index.all(sample)]


def _same_figures(a: str, b: str) -> bool:
    """Tell whether no figure was replaced; one may have been dropped or doubled."""
    own, other = set(numbers(a)), set(numbers(b))
    return own <= other or other <= own


def _answers_alike(a: str, b: str) -> bool:
    if units(a) == units(b):
        return bool(units(a)) or fold(a) == fold(b)
    own, other = shingle(a, 2), shingle(b, 2)
    common = len(set(own.tolist()) & set(other.tolist()))
    return 2 * common >= ALIKE * (len(own) + len(other)) and numbers(a) == numbers(b)
