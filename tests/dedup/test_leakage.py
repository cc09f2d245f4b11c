"""Leak rules, both languages, and which pairs are meant to be allowed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.dedup.leakage import Leak, LeakIndex, find_leaks, find_sample_leaks
from datagen.dedup.overlap import OverlapIndex
from datagen.dedup.shingle import shingle
from datagen.schemas.record import question_answer
from datagen.schemas.sample import Sample

EVAL = [
    "旺季期间取消预订需要提前多少个小时通知酒店前台？",
    "How many hours before arrival must a guest cancel a booking during the high season?",
    "几点退房？",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("几点退房?", (2, "exact", 1.0)),
        ("请问旺季期间取消预订需要提前多少个小时通知酒店", (0, "containment", 0.8)),
        (f"Question 7. {EVAL[1]} Answer in one sentence.", (1, "containment", 1.0)),
        ("旺季取消预订需要提前多少个小时通知前台？", None),
        ("健身房几点开门？", None),
        ("Is there a swimming pool?", None),
        ("  ", None),
    ],
)
def test_rules(text: str, expected: tuple[int, str, float] | None) -> None:
    hit = LeakIndex(EVAL).find(text)
    assert (hit and (hit.row, hit.rule, round(hit.score, 1))) == expected


def test_near_duplicates_without_a_long_common_window() -> None:
    hit = LeakIndex(["请问早餐是几点钟开始"]).find("请问早餐是几点钟结束")
    assert hit is not None
    assert (hit.rule, hit.score) == ("near_duplicate", 0.5)


def test_every_pair_is_reported_in_order() -> None:
    assert find_leaks(["几点退房", "没有关系", "几点退房！"], ["几点退房？", "几点退房。"]) == [
        Leak(0, 0, "exact", 1.0),
        Leak(0, 1, "exact", 1.0),
        Leak(2, 0, "exact", 1.0),
        Leak(2, 1, "exact", 1.0),
    ]


def test_short_answers_may_be_equal_long_ones_may_not() -> None:
    def qa(question: str, answer: str) -> Sample:
        return Sample.of(question_answer(question, answer))

    long = "请在入住前一天下午六点之前拨打前台电话取消"
    train = [qa("早餐什么时候开始供应？", "七点。"), qa("怎么取消订单？", long)]
    evaluation = [qa("餐厅每天最早几点营业？", "七点。"), qa("不想住了要如何处理？", f"{long}。")]
    assert find_sample_leaks(train, evaluation) == [Leak(1, 1, "exact", 1.0)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("早餐七点pool ", max_size=12), max_size=6), st.text("早餐七点pool ", max_size=12))
def test_overlaps_against_brute_force(texts: list[str], query: str) -> None:
    sets = [set(shingle(t, 2).tolist()) for t in texts]
    own = set(shingle(query, 2).tolist())
    expected = [(i, len(s & own), len(s)) for i, s in enumerate(sets) if s & own]
    found = OverlapIndex([shingle(t, 2) for t in texts]).overlaps(shingle(query, 2))
    assert [tuple(row) for row in np.array(found).T.tolist()] == expected
