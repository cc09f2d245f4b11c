"""The compiled path computes what Python computes, whatever the text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.dedup.kernels.column import Column
from datagen.dedup.kernels.native import band_keys, keys_of_signatures, shingle_sets, signatures_of
from datagen.dedup.kernels.windows import sort_hashes
from datagen.dedup.lsh import choose_bands
from datagen.dedup.minhash import signature
from datagen.dedup.shingle import shingle

HARD = [
    "退房时间是中午 12 点。",
    "ＷｉＦｉ 密码：Hotel１２３，Straße ﬁne İstanbul",
    "㌀㍿ ﷺ ǆ ΣΑΣ ½ cup",
    "cafe\u0301 au lait",
    "각 한국어 호텔",
    "𠮷野家 🏨 😀 sous-chef_1",
    "?!…",
    "  \t\n ",
    "",
    "\ud800 lone surrogate",
    "nul \x00 inside",
    "ﷺ" * 40,
]
anything = st.text(st.characters(codec="utf-8"), max_size=40) | st.text("退房早餐 wifi１２ﬁ\u0301\u1112\u1161𠮷", max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.lists(anything, max_size=8), st.integers(1, 7))
def test_shingles_and_signatures_equal_python_ones(texts: list[str], ngram: int) -> None:
    column = Column.of([*texts, *HARD])
    sets, signatures = shingle_sets(column, ngram), signatures_of(column, ngram)
    for i, text in enumerate([*texts, *HARD]):
        expected = shingle(text, ngram)
        assert sets.row(i).tolist() == expected.tolist()
        assert signatures[i].tolist() == signature(expected).tolist()
    bands = choose_bands(0.7)
    assert (band_keys(column, ngram, bands) == keys_of_signatures(signatures, bands)).all()


def test_many_rows_in_many_chunks_are_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{i} 号房间的退房时间是中午 {i % 12} 点，早餐七点开始供应" for i in range(50)] + HARD
    whole = signatures_of(Column.of(texts), 3)
    monkeypatch.setattr("datagen.dedup.kernels.native.BLOCK", 200)
    assert (signatures_of(Column.of(texts), 3) == whole).all()
    sets = shingle_sets(Column.of(texts), 3)
    assert [sets.row(i).tolist() for i in range(len(texts))] == [shingle(t, 3).tolist() for t in texts]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**63, 2**64 - 1]), min_size=1, max_size=300))
def test_hashes_are_sorted(values: list[int]) -> None:
    out = np.empty(len(values), dtype=np.uint64)
    sort_hashes(np.array(values, dtype=np.uint64), len(values), out, np.empty((1 << 16) + 1, dtype=np.int64))
    assert out.tolist() == sorted(values)


def test_a_column_gives_its_texts_back() -> None:
    texts = ["plain ascii", "退房", "", "mixed 退房 text"]
    column = Column.of(texts)
    assert [column.text(i) for i in range(4)] == texts
    assert [column.take(np.array([3, 0])).text(i) for i in range(2)] == [texts[3], texts[0]]
