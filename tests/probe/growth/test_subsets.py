"""Nested orders and random halves."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

from datagen.probe.growth.subsets import half_inclusions, nested_order
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Provenance, Sample


def _samples(counts: dict[str, int]) -> list[Sample]:
    return [
        Sample.of(question_answer(f"{name} 第{n}问：几点退房？", f"{n}点退房。"), provenance=Provenance(document=name))
        for name, count in counts.items()
        for n in range(count)
    ]


def test_document_prefixes_hold_whole_documents() -> None:
    rows = _samples({"退房.md": 3, "早餐.md": 4, "parking.md": 5})
    order = nested_order(rows, by="document", seed=0)
    assert sorted(s.id for s in order) == sorted(s.id for s in rows)
    names = [s.provenance.document for s in order]
    assert [n for i, n in enumerate(names) if i == 0 or names[i - 1] != n] == list(dict.fromkeys(names))
    assert nested_order(rows[::-1], by="document", seed=0) == order
    assert nested_order(rows, by="document", seed=1) != order


def test_row_prefixes_keep_the_proportions() -> None:
    order = nested_order(_samples({"退房.md": 40, "parking.md": 8}), by="row", seed=3)
    for size in (6, 12, 24, 48):
        assert Counter(s.provenance.document for s in order[:size])["parking.md"] == size // 6


@given(count=hs.integers(2, 15), pairs=hs.integers(1, 12), seed=hs.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_halves_come_in_opposite_pairs(count: int, pairs: int, seed: int) -> None:
    halves = half_inclusions(count, draws=2 * pairs, seed=seed)
    assert len(halves) == 2 * pairs
    for one, other in zip(halves[::2], halves[1::2], strict=True):
        assert [not x for x in one] == list(other)
        assert abs(sum(one) - count / 2) <= 0.5
    assert all(sum(h[i] for h in halves) == pairs for i in range(count))


def test_halves_need_two_slices_and_even_runs() -> None:
    with pytest.raises(ValueError, match="at least 2 slices"):
        half_inclusions(1, draws=4, seed=0)
    with pytest.raises(ValueError, match="even number"):
        half_inclusions(4, draws=3, seed=0)
