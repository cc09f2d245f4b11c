"""Laws of deduplication over whole sets: verified pairs, order, idempotence, both engines, incremental = batch."""

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.dedup import deduplicate
from datagen.dedup.batch import find_duplicates
from datagen.dedup.clusters import Clusters
from datagen.dedup.compared import of_text
from datagen.dedup.incremental import CompareIndex
from datagen.dedup.shingle import jaccard, shingle
from datagen.errors import UsageError

SENTENCES = [
    "会员可在入住前一天十八点之前免费取消预订，之后取消收取首晚房费。",
    "会员可在入住前一天十八点之前免费取消预订，之后取消将收取首晚房费。",
    "会员可以在入住前一天十八点之前免费取消预订，逾期取消收取首晚房费。",
    "早餐在一楼餐厅供应，周末延长到十点半。",
    "早餐在一楼餐厅供应，周末会延长到十点半。",
    "健身房二十四小时开放，凭房卡进入。",
    "Guests may cancel free of charge until six in the evening of the day before they arrive at the hotel.",
    "Guests may cancel free of charge until six in the evening of the day before they arrive at our hotel.",
    "The airport shuttle leaves every half hour from the main entrance and is free for members.",
    "退房",
    "退房时间",
    "",
]
texts = st.lists(st.sampled_from(SENTENCES), max_size=14)


@settings(max_examples=40, deadline=None)
@given(texts, st.sampled_from([0.3, 0.5, 0.7, 0.9]))
def test_clusters_are_the_components_of_verified_pairs(rows: list[str], threshold: float) -> None:
    sets = [shingle(row, 5) for row in rows]
    brute = Clusters(len(rows))
    for i, j in combinations(range(len(rows)), 2):
        if jaccard(sets[i], sets[j]) >= threshold:
            brute.union(i, j)
    found = find_duplicates([of_text(row) for row in rows], threshold=threshold, ngram=5)
    assert found.clusters == brute.groups()
    for d in found.duplicates.values():
        assert d.similarity == jaccard(sets[d.row], sets[d.similar_row]) >= threshold
        assert (d.reason == "exact_duplicate") == (rows[d.row] in rows[: d.row])


@settings(max_examples=25, deadline=None)
@given(texts, st.randoms(use_true_random=False))
def test_clusters_do_not_depend_on_order(rows: list[str], rng: random.Random) -> None:
    order = list(range(len(rows)))
    rng.shuffle(order)
    straight = {frozenset(c) for c in deduplicate(rows).clusters}
    shuffled = {frozenset(order[i] for i in c) for c in deduplicate([rows[i] for i in order]).clusters}
    assert straight == shuffled


@settings(max_examples=25, deadline=None)
@given(texts)
def test_input_order_is_kept_and_twice_is_once(rows: list[str]) -> None:
    result = deduplicate(rows)
    remaining = iter(rows)
    assert all(any(row == other for other in remaining) for row in result.kept)
    assert len(result.kept) + len(result.dropped) == len(rows)
    assert deduplicate(result.kept).kept == result.kept


@settings(max_examples=15, deadline=None)
@given(texts)
def test_datasketch_finds_the_same(rows: list[str]) -> None:
    native, other = deduplicate(rows), deduplicate(rows, engine="datasketch")
    assert (native.clusters, native.kept) == (other.clusters, other.kept)


@settings(max_examples=25, deadline=None)
@given(texts)
def test_incremental_finds_the_pairs_that_batch_finds(rows: list[str]) -> None:
    index, clusters = CompareIndex(threshold=0.7, ngram=5), Clusters(len(rows))
    for i, row in enumerate(rows):
        for match in index.matches(of_text(row)):
            clusters.union(int(match.id), i)
        index.add(str(i), of_text(row))
    assert clusters.groups() == deduplicate(rows).clusters


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20))
def test_union_find_against_brute_force(n: int, edges: list[tuple[int, int]]) -> None:
    clusters = Clusters(n)
    groups = [{i} for i in range(n)]
    for i, j in ((i % n, j % n) for i, j in edges):
        clusters.union(i, j)
        a, b = next(g for g in groups if i in g), next(g for g in groups if j in g)
        if a is not b:
            a |= b
            groups.remove(b)
    assert clusters.groups() == sorted(sorted(g) for g in groups if len(g) > 1)
    assert all(clusters.find(i) == min(next(g for g in groups if i in g)) for i in range(n))


def test_a_thousand_copies_are_one_cluster() -> None:
    result = deduplicate(["入住需出示身份证原件。", "Please show your passport at check-in."] * 1000)
    assert [len(c) for c in result.clusters] == [1000, 1000]
    assert result.kept == ["入住需出示身份证原件。", "Please show your passport at check-in."]


def test_a_row_joined_by_another_names_its_witness() -> None:
    words = [f"w{i}" for i in range(40)]
    chain = [" ".join(words[i : i + 30]) for i in (0, 4, 8)]
    result = deduplicate(chain)
    assert result.clusters == [[0, 1, 2]]
    assert (result.duplicates[2].kept_row, result.duplicates[2].similar_row) == (0, 1)
    assert result.explain(2) == "row 2 is dropped: near_duplicate of row 0, similarity 0.73 with row 1 (cluster 0)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "spark"}, "unknown engine"),
        ({"threshold": 0.0}, "threshold"),
        ({"threshold": 1.5}, "threshold"),
        ({"ngram": 0}, "ngram"),
    ],
)
def test_wrong_use(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        deduplicate(["退房"], **arguments)  # pyright: ignore[reportCallIssue, reportArgumentType]
