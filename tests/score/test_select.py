"""Choosing rows: sizes, order, determinism, and that diverse choices are diverse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.dedup.semantic.vectors import Vectors, normalise
from datagen.errors import UsageError
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample
from datagen.score.diversity.novelty import novel_sum
from datagen.score.select import By, facility_location, novel_select, score_values, select_rows

ROWS = [Sample.of(question_answer(f"第{i}间客房有什么设施？", "有浴缸。" * (i % 7 + 1))) for i in range(30)]


def coverage(vectors: Vectors, chosen: list[int]) -> float:
    return float(np.maximum(vectors @ vectors[chosen].T, 0).max(axis=1).sum())


@pytest.mark.parametrize("by", ["top", "band", "diverse", "novel", "random"])
def test_every_way_gives_n_rows_in_order_and_the_same_again(by: By) -> None:
    chosen = select_rows(ROWS, 7, by=by, score="completion_tokens", band=(0.1, 0.9))
    assert len(set(chosen)) == 7
    assert chosen == sorted(chosen)
    assert chosen == select_rows(ROWS, 7, by=by, score="completion_tokens", band=(0.1, 0.9))
    assert select_rows(ROWS, 99, by=by, score="completion_tokens") == list(range(30))


def test_top_takes_the_highest_and_the_lowest() -> None:
    assert select_rows(ROWS, 4, by="top", score="completion_tokens") == [6, 13, 20, 27]
    assert select_rows(ROWS, 5, by="top", score="completion_tokens", lowest=True) == [0, 7, 14, 21, 28]


def test_band_stays_inside_its_quantiles() -> None:
    values = score_values(ROWS, "completion_tokens")
    chosen = select_rows(ROWS, 6, by="band", score="completion_tokens", band=(0.4, 0.6))
    low, high = np.quantile(values, [0.4, 0.6])
    assert all(low <= values[i] <= high for i in chosen)


def test_samples_bring_their_own_scores() -> None:
    scored = [s.model_copy(update={"scores": {"judge": float(i % 3)}}) for i, s in enumerate(ROWS)]
    assert select_rows(scored, 10, by="top", score="judge") == list(range(2, 30, 3))
    with pytest.raises(UsageError, match="no score 'juge'"):
        select_rows(scored, 3, by="top", score="juge")


def test_diverse_choices_take_one_of_each_group() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(5, dtype=np.float32)
    vectors = normalise((np.repeat(centres, 8, axis=0) + 0.01 * rng.normal(size=(40, 5))).astype(np.float32))
    for choose in (facility_location, novel_select):
        assert {i // 8 for i in choose(vectors, 5)} == set(range(5))


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_facility_location_is_within_its_bound_and_beats_random_choices_on_average(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = normalise(rng.normal(size=(40, 6)).astype(np.float32))
    best = coverage(vectors, facility_location(vectors, 6))
    others = [coverage(vectors, rng.choice(40, 6, replace=False).tolist()) for _ in range(20)]
    assert best >= max(others) * (1 - 1 / np.e)
    assert best > float(np.mean(others))


def test_novel_select_raises_novel_sum_over_random_choices() -> None:
    rng = np.random.default_rng(3)
    vectors = normalise((np.repeat(rng.normal(size=(6, 8)), 10, axis=0) + 0.05 * rng.normal(size=(60, 8))).astype(np.float32))
    others = [novel_sum(vectors[rng.choice(60, 12, replace=False)]) for _ in range(20)]
    assert novel_sum(vectors[novel_select(vectors, 12)]) > np.mean(others)


def test_wrong_requests_say_what_is_wrong() -> None:
    with pytest.raises(UsageError, match="cannot select 0 rows"):
        select_rows(ROWS, 0)
    with pytest.raises(UsageError, match="a band must be two quantiles"):
        select_rows(ROWS, 3, by="band", score="completion_tokens", band=(0.9, 0.1))
    with pytest.raises(UsageError, match="needs a score"):
        select_rows(ROWS, 3, by="top")
