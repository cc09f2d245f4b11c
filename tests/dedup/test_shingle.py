"""Shingles: exact values, short texts, both languages."""

import numpy as np
import pytest

from datagen.dedup.shingle import containment, jaccard, numbers, shingle


@pytest.mark.parametrize(
    ("text", "ngram", "count"),
    [
        ("退房时间是中午12点。", 5, 5),
        ("Check-out is at noon.", 5, 1),
        ("Check-out is at noon on every day.", 5, 4),
        ("The pool opens. The pool opens. The pool opens.", 2, 3),
        ("退房", 5, 1),
        ("？！", 5, 1),
        ("   ", 5, 0),
        ("", 5, 0),
    ],
)
def test_number_of_shingles(text: str, ngram: int, count: int) -> None:
    shingles = shingle(text, ngram)
    assert (len(shingles), shingles.dtype) == (count, np.uint64)


def test_hashes_never_change() -> None:
    assert [int(h) for h in shingle("退房时间是中午", 5)] == [15034725679896749963, 15851194165093372966, 18019149793516094594]


def test_width_case_and_space_do_not_matter() -> None:
    assert shingle("ＷｉＦｉ 密码 是 Hotel", 5).tolist() == shingle("wifi密码是hotel", 5).tolist()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("300元", "500元", 0.0),
        ("300元", "300 元。", 1.0),
        ("!!!", "???", 0.0),
        ("", " ", 1.0),
        ("标准房几点退房", "豪华房几点退房", 0.2),
        ("Breakfast is served from seven to ten", "Breakfast is served from seven to eleven", 0.5),
    ],
)
def test_jaccard_of_short_texts(a: str, b: str, expected: float) -> None:
    assert jaccard(shingle(a, 5), shingle(b, 5)) == expected


def test_a_short_text_is_not_a_shingle_of_a_longer_one() -> None:
    assert jaccard(shingle("退房时间", 5), shingle("退房时间是", 5)) == 0.0


def test_containment_is_one_sided() -> None:
    part, whole = shingle("the pool opens at nine", 2), shingle("the pool opens at nine and closes at six", 2)
    assert (containment(part, whole), containment(whole, part)) == (1.0, 0.5)


def test_numbers_are_a_multiset_after_folding() -> None:
    assert numbers("标准房３００元，加床 100 元，含税 300 元") == ("100", "300", "300")
    assert numbers("Check-in 14:00, deposit 1,000.50") == ("1,000.50", "14:00")
