"""Phrasings of a fact's question in two families that stay apart: one for training, one for the exam.

The exam's ``recall`` part asks about facts that training rows cover too, so neither questions nor answers of the two
families may be near duplicates: the 5-gram Jaccard similarity (characters in Chinese, words in English) of any pair of
questions, and of the two answers, is below 0.5. Phrasings that break this are left out here.
"""

from collections.abc import Mapping
from typing import NamedTuple

from datagen.generate.extractive.fact import Fact, Place
from datagen.generate.extractive.templates import Templates
from datagen.text import units

NGRAM = 5
MAX_SIMILARITY = 0.5
# Templates put quotation marks around most slots, so marks inside become single ones; these slots stand on their own.
_OWN_QUOTES = frozenset({"question", "in_place"})
_INNER_QUOTES = str.maketrans({"“": "‘", "”": "’", '"': "'"})


class Phrasings(NamedTuple):
    """Questions of one fact, best first, and the answer to the exam's questions. ``exam`` may be empty."""

    train: tuple[str, ...]
    exam: tuple[str, ...]
    exam_answer: str


def phrase(fact: Fact, place: Place, templates: Templates) -> Phrasings:
    """Return the questions for a fact.

    Where the short answer nearly equals the long one, the exam turns the question round (which term means ...?) or, if that
    is impossible, does not ask for this fact.
    """
    slots = _slots(fact, place)
    form = fact.form or fact.kind
    train = _distinct(templates.questions(form, "train", slots))
    turned = similarity(fact.full, fact.short) >= MAX_SIMILARITY
    if turned and not fact.reverse:
        return Phrasings(tuple(train), (), fact.short)
    exam = _distinct(templates.questions(form, "reversed" if turned else "exam", slots))
    if fact.kind == "faq" and len(units(fact.slots["question"])) < 6:
        exam.sort(key=lambda q: place.title not in q)
    for first in exam:
        apart = [q for q in train if similarity(q, first) < MAX_SIMILARITY]
        if apart:
            others = [q for q in exam if q != first and all(similarity(q, t) < MAX_SIMILARITY for t in apart)]
            return Phrasings(tuple(apart), (first, *others), fact.reverse if turned else fact.short)
    return Phrasings(tuple(train), (), fact.short)


def similarity(a: str, b: str) -> float:
    """Return the Jaccard similarity in [0, 1] of two texts' sets of 5-grams; a shorter text is one gram."""
    left, right = _grams(a), _grams(b)
    return len(left & right) / len(left | right) if left | right else 1.0


def _grams(text: str) -> frozenset[tuple[str, ...]]:
    words = units(text)
    return frozenset(tuple(words[i : i + NGRAM]) for i in range(max(1, len(words) - NGRAM + 1)))


def _slots(fact: Fact, place: Place) -> Mapping[str, str]:
    in_place = fact.slots.get("in_place", "")
    quoted = {k: v if k in _OWN_QUOTES else v.translate(_INNER_QUOTES) for k, v in fact.slots.items()}
    return {
        **quoted,
        "where": place.where,
        "topic": place.topic,
        "book": place.book,
        "section": place.heading or place.title,
        "told": quoted.get("told") or fact.short.rstrip("。.；; ").translate(_INNER_QUOTES),
        "in_place_lower": in_place[:1].lower() + in_place[1:],
    }


def _distinct(questions: list[str]) -> list[str]:
    return list(dict.fromkeys(q[:1].upper() + q[1:] for q in questions))
