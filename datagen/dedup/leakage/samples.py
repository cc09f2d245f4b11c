"""Leakage between rows: by question, by long answer, by both at once, by plain text.

A pair may be found several ways; the strongest is reported (by rule, then score).
"""

from collections.abc import Sequence
from typing import NamedTuple

from datagen.dedup.leakage.near_rows import NearRowIndex
from datagen.dedup.leakage.rules import Hit, Leak, LeakIndex, Rule, strength
from datagen.dedup.leakage.templates import is_template, is_template_throughout
from datagen.schemas.record import completion_text, prompt_text
from datagen.schemas.sample import Sample
from datagen.text import units

SHORT_ANSWER = 13
"""Completions of fewer units are not compared: a two-word fact cannot be said differently."""


class SampleHit(NamedTuple):
    """Row ``row`` of the index that a sample leaks into, and by which ``part`` of it."""

    row: int
    rule: Rule
    score: float
    part: str


class SampleLeakIndex:
    """Evaluation rows, indexed once.

    A training row leaks if its prompt shares text with a prompt, or its completion of 13 units or more with a completion, or if both are
    alike (see :mod:`datagen.dedup.leakage.near_rows`); rows of one template that ask about different things and answer differently do not
    (see :mod:`datagen.dedup.leakage.templates`). A plain text (a benchmark's row in no known format, a pre-training passage) is
    compared with the other side's prompts, too.
    """

    def __init__(self, evaluation: Sequence[Sample]) -> None:
        self._questions = LeakIndex([question_of(s) for s in evaluation])
        self._answers = LeakIndex([long_answer_of(s) for s in evaluation])
        plain = [plain_text_of(s) for s in evaluation]
        self._plain = LeakIndex(plain) if any(plain) else None
        self._near = NearRowIndex(evaluation)
        self._texts = [(prompt_text(s.record), completion_text(s.record)) for s in evaluation]

    def all(self, sample: Sample) -> list[SampleHit]:
        """Return every row that ``sample`` leaks into, by row, each with the strongest finding."""
        return self.both(sample)[0]

    def both(self, sample: Sample) -> tuple[list[SampleHit], list[SampleHit]]:
        """Return what :meth:`all` does, and the rows that ``sample`` only shares a template with, by row."""
        hits, asked_alike, answered_alike = self._findings(sample)
        own = prompt_text(sample.record), completion_text(sample.record)
        templates = {row for row in asked_alike if is_template(*own, *self._texts[row])}
        templates |= {row for row in answered_alike if is_template_throughout(*own, *self._texts[row])}
        return [hit for hit in hits if hit.row not in templates], [hit for hit in hits if hit.row in templates]

    def _findings(self, sample: Sample) -> tuple[list[SampleHit], set[int], set[int]]:
        """Return every finding, the rows among them whose questions are alike without being the same, and those whose answers alone are."""
        question = question_of(sample)
        found: dict[int, SampleHit] = {}
        near, asked, answered = self._near.all(sample), self._questions.all(question), self._answers.all(long_answer_of(sample))
        same = {hit.row for hit in asked if hit.rule == "exact"}
        alike = {hit.row for hit in [*near, *asked]} - same
        by_answer = {hit.row for hit in answered} - alike - same
        _note(found, "question and answer", near)
        _note(found, "question", asked)
        _note(found, "answer", answered)
        if self._plain is not None:
            _note(found, "question", self._plain.all(question))
        _note(found, "text", self._questions.all(plain_text_of(sample)))
        return [found[row] for row in sorted(found)], alike, by_answer

    def find(self, sample: Sample) -> SampleHit | None:
        """Return the strongest finding (the first row among equals), or None."""
        return max(self.all(sample), key=lambda hit: strength(Hit(*hit[:3])), default=None)


def find_sample_leaks(train: Sequence[Sample], evaluation: Sequence[Sample]) -> list[Leak]:
    """Return every pair of rows that leak by :class:`SampleLeakIndex`, by training row, then evaluation row."""
    return find_sample_pairs(train, evaluation)[0]


def find_sample_pairs(train: Sequence[Sample], evaluation: Sequence[Sample]) -> tuple[list[Leak], list[Leak]]:
    """Return the pairs of rows that leak, and those that only share a template, both by training row, then evaluation row."""
    index = SampleLeakIndex(evaluation)
    leaks: list[Leak] = []
    templates: list[Leak] = []
    for row, sample in enumerate(train):
        for found, hits in zip((leaks, templates), index.both(sample), strict=True):
            found += [Leak(row, *hit[:3]) for hit in hits]
    return leaks, templates


def question_of(sample: Sample) -> str:
    """Return the prompt that leakage compares."""
    return prompt_text(sample.record)


def long_answer_of(sample: Sample) -> str:
    """Return the completion (or plain text) that leakage compares; '' if it is too short to be said differently."""
    text = completion_text(sample.record)
    return text if sample.record.kind == "text" or len(units(text)) >= SHORT_ANSWER else ""


def plain_text_of(sample: Sample) -> str:
    """Return the text of a sample that is only text, else ''."""
    return completion_text(sample.record) if sample.record.kind == "text" else ""


def _note(found: dict[int, SampleHit], part: str, hits: Sequence[Hit]) -> None:
    for hit in hits:
        known = found.get(hit.row)
        if known is None or strength(hit) > strength(Hit(*known[:3])):
            found[hit.row] = SampleHit(*hit, part)
