import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.hashing import canonical_json, fingerprint, merkle_root, sha256_hex, unit_interval


def test_canonical_json_ignores_key_order_and_refuses_nan() -> None:
    assert canonical_json({"b": 1, "a": "酒店"}) == '{"a":"酒店","b":1}'.encode()
    with pytest.raises(ValueError, match="Out of range"):
        canonical_json(float("inf"))


def test_known_values_never_change() -> None:
    assert fingerprint({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    assert merkle_root([]) == sha256_hex("empty")
    assert merkle_root(["aa"]) == sha256_hex("leaf:aa")


@settings(max_examples=50, deadline=None)
@given(ids=st.lists(st.text("0123456789abcdef", min_size=1, max_size=6), max_size=12), seed=st.integers(0, 99))
def test_merkle_root_depends_on_the_set_only(ids: list[str], seed: int) -> None:
    shuffled = [*ids, *ids[:2]]
    random.Random(seed).shuffle(shuffled)
    assert merkle_root(shuffled) == merkle_root(ids)
    assert merkle_root([*ids, "new-id"]) != merkle_root(ids)


def test_unit_interval_is_uniform_enough() -> None:
    values = [unit_interval(f"row-{i}") for i in range(4000)]
    assert all(0 <= v < 1 for v in values)
    assert 0.47 < sum(values) / len(values) < 0.53
