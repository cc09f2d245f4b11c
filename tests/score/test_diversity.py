"""Published formulas against values computed by hand, and the laws they keep."""

import zlib
from math import exp, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.score.diversity.embedding import embed_texts, project
from datagen.score.diversity.lexical import compression_ratio, distinct_n, evenness, self_repetition
from datagen.score.diversity.measure import choose_rows, measure_diversity
from datagen.score.diversity.novelty import cosine_distances, novel_sum, vendi_score
from datagen.score.diversity.topics import find_topics, terms_of

HOTEL = [
    "退房时间是几点？退房时间为中午十二点。",
    "可以延迟退房吗？金卡会员可延迟退房到下午两点。",
    "退房手续在哪里办？退房手续在一楼前台办理。",
    "早餐几点开始？早餐七点开始供应。",
    "早餐在哪里吃？早餐在二楼餐厅供应。",
    "儿童早餐多少钱？儿童早餐半价供应。",
    "How do I cancel my booking? Cancel the booking in the app before six.",
    "Is cancelling a booking free? Cancelling the booking is free for members.",
    "When is a cancelled booking refunded? The booking is refunded in five days.",
]


def test_novel_sum_by_hand() -> None:
    # Unit vectors at 0°, 60° and 90°: distances d01 = 1/2, d12 = 1 - sqrt(3)/2, d02 = 1.
    points = np.array([[1.0, 0.0], [0.5, sqrt(3) / 2], [0.0, 1.0]])
    near = 1 - sqrt(3) / 2
    sigma = [1 / (0.5 + 1), 1 / (0.5 + near), 1 / (near + 1)]
    novelty = [
        (sqrt(sigma[1]) * 0.5 + sqrt(sigma[2]) * 1 / 2) / 1.5,
        (sqrt(sigma[2]) * near + sqrt(sigma[0]) * 0.5 / 2) / 1.5,
        (sqrt(sigma[1]) * near + sqrt(sigma[0]) * 1 / 2) / 1.5,
    ]
    assert novel_sum(points) == pytest.approx(sum(novelty) / 3, abs=1e-9)


def test_vendi_score_by_hand() -> None:
    # Three vectors, two of them equal: eigenvalues 2/3 and 1/3.
    points = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert vendi_score(points) == pytest.approx(exp(-(2 / 3 * log(2 / 3) + 1 / 3 * log(1 / 3))))
    assert vendi_score(np.eye(7)) == pytest.approx(7.0)
    assert vendi_score(np.ones((5, 3))) == pytest.approx(1.0)


def test_vendi_score_equals_its_authors_package() -> None:
    points = np.random.default_rng(20261124).standard_normal((12, 5))
    # vendi_score 0.0.3: vendi.score_dual(points, normalize=True)
    assert vendi_score(points) == pytest.approx(4.317245975271154, abs=1e-12)


@settings(max_examples=30)
@given(st.integers(2, 12), st.integers(2, 6), st.integers(0, 10**6))
def test_vendi_is_between_one_and_n_and_blind_to_order_and_scale(n: int, d: int, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(n, d))
    score = vendi_score(points)
    assert 1.0 - 1e-9 <= score <= min(n, d) + 1e-9
    assert vendi_score(points[::-1] * 3.0) == pytest.approx(score)
    # The dual form and the n x n form have the same eigenvalues.
    padded = np.hstack([points, np.zeros((n, 40))])
    assert vendi_score(padded) == pytest.approx(score)


@settings(max_examples=30)
@given(st.integers(3, 15), st.integers(0, 10**6))
def test_a_duplicate_in_place_of_a_new_row_lowers_novel_sum_or_leaves_it(n: int, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(n, 5))
    copied = points.copy()
    copied[:] = points[0]
    assert novel_sum(copied) < 1e-3 < novel_sum(points)
    assert cosine_distances(points).shape == (n, n)


def test_distinct_n_by_hand() -> None:
    texts = [["a", "b", "a"], ["a", "b"]]
    assert distinct_n(texts, 1) == pytest.approx(2 / 5)
    assert distinct_n(texts, 2) == pytest.approx(2 / 3)
    assert distinct_n([["a"]], 2) == 0.0


def test_self_repetition_by_hand() -> None:
    # Two texts share one 4-gram: k = 1 for both; the third shares none.
    texts = [list("abcde"), list("abcdx"), list("vwxyz")]
    assert self_repetition(texts, 4) == pytest.approx(2 * log(2) / 3)


def test_compression_ratio_is_bytes_over_zlib_bytes() -> None:
    text = "早餐七点开始供应。" * 50
    assert compression_ratio(text) == pytest.approx(len(text.encode()) / len(zlib.compress(text.encode(), 9)))
    assert compression_ratio("") == 0.0


def test_evenness_by_hand() -> None:
    assert evenness([5, 5, 5]) == pytest.approx(1.0)
    assert evenness([3, 1]) == pytest.approx(-(0.75 * log(0.75) + 0.25 * log(0.25)) / log(2))
    assert evenness([9]) == 1.0


def test_topics_are_named_by_their_own_terms() -> None:
    found = find_topics(HOTEL, embed_texts(HOTEL))
    named = {term for topic in found.topics for term in topic.terms}
    assert {"退房", "早餐"} & {t[:2] for t in named}
    assert any("booking" in term for term in named)
    assert sum(t.share for t in found.topics) == pytest.approx(1.0)
    assert sorted(i for t in found.topics for i in t.rows) == list(range(9))


def test_terms_leave_joining_characters_out() -> None:
    assert "退房时间" in terms_of("退房时间是几点？")
    assert not any("是" in term for term in terms_of("退房时间是几点？"))
    assert "late checkout" in terms_of("Is the late checkout free?")


def test_embedding_is_deterministic_and_sees_wording() -> None:
    vectors = embed_texts(HOTEL)
    assert np.array_equal(vectors, embed_texts(HOTEL))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(9), abs=1e-5)
    distances = cosine_distances(vectors)
    assert distances[6, 7] < distances[0, 7]
    assert project(vectors).shape == (9, 2)
    assert embed_texts(["", "。"]).shape == (2, 1)


def test_metrics_are_taken_at_equal_size() -> None:
    texts = [f"{text}{i}" for i in range(40) for text in HOTEL]
    names = {m.name: m for m in measure_diversity(texts)}
    assert names["novel_sum"].n == 100
    assert names["distinct_2"].n == 2000
    assert names["vendi_score"].sd > 0
    few = {m.name: m for m in measure_diversity(HOTEL)}
    assert (few["vendi_score"].n, few["vendi_score"].sd) == (9, 0.0)
    assert choose_rows(10, 4) == choose_rows(10, 4)
