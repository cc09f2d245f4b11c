"""Signatures estimate Jaccard similarity; the compiled kernel and the numpy path agree; bands find what they promise."""

import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.dedup.kernels import compiled as kernels
from datagen.dedup.kernels.join import set_jaccard
from datagen.dedup.kernels.native import ShingleSets
from datagen.dedup.kernels.sign import sign_sets
from datagen.dedup.lsh import Bands, band_key, choose_bands, signature_keys
from datagen.dedup.minhash import ADDENDS, MULTIPLIERS, PERMUTATIONS, estimate, signature
from datagen.dedup.shingle import Shingles, jaccard, shingle


def numbered(start: int, count: int) -> Shingles:
    return np.unique(np.concatenate([shingle(f"句{i}", 5) for i in range(start, start + count)]))


@settings(max_examples=40, deadline=None)
@given(common=st.integers(1, 80), left=st.integers(0, 60), right=st.integers(0, 60), offset=st.integers(0, 10**6))
def test_estimate_is_within_the_binomial_bound(common: int, left: int, right: int, offset: int) -> None:
    a, b = numbered(offset, left + common), numbered(offset + left, common + right)
    exact = jaccard(a, b)
    assert exact == common / (left + common + right)
    # Five standard deviations plus one step: about one false alarm in a million examples.
    bound = 5 * math.sqrt(exact * (1 - exact) / PERMUTATIONS) + 1 / PERMUTATIONS
    assert abs(estimate(signature(a), signature(b)) - exact) <= bound


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text("早餐七点退房房间wifi pool 12", max_size=30), max_size=6))
def test_kernel_equals_numpy(texts: list[str]) -> None:
    sets = [shingle(text, 3) for text in texts]
    flat = ShingleSets.of(sets)
    signatures = sign_sets(flat.values, flat.offsets, MULTIPLIERS, ADDENDS)
    assert [row.tolist() for row in signatures] == [signature(s).tolist() for s in sets]
    for i in range(len(sets)):
        for j in range(len(sets)):
            assert set_jaccard(flat.values, flat.offsets, i, j) == jaccard(sets[i], sets[j])


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, Bands(42, 3)), (0.7, Bands(25, 5)), (0.9, Bands(11, 11)), (1.0, Bands(4, 32))])
def test_bands_of_a_threshold(threshold: float, expected: Bands) -> None:
    bands = choose_bands(threshold)
    assert bands == expected
    assert bands.bands * bands.rows <= PERMUTATIONS
    assert bands.probability(threshold) >= 0.98


def test_a_pair_at_the_threshold_is_found_as_often_as_is_said() -> None:
    found = {t: choose_bands(t / 100).probability(t / 100) for t in range(30, 91)}
    assert min(found.values()) == pytest.approx(0.9606, abs=1e-4)
    assert found[70] == pytest.approx(0.9899, abs=1e-4)


@pytest.mark.parametrize(("threshold", "expected"), [(0.0003, Bands(128, 1)), (0.9999, Bands(4, 32))])
def test_thresholds_beyond_the_grid_have_bands_too(threshold: float, expected: Bands) -> None:
    assert choose_bands(threshold) == expected


def test_band_keys_of_one_and_of_many_agree() -> None:
    bands = choose_bands(0.7)
    signatures = np.stack(
        [signature(shingle(t, 5)) for t in ("退房时间是中午十二点", "早餐七点开始供应", "Check-out is at noon on every day")]
    )
    for i, one in enumerate(signatures):
        assert signature_keys(one, bands) == [(b, int(band_key(signatures, bands, b)[i])) for b in range(bands.bands)]


def _another_kernel(path: Path) -> bytes:
    return path.name.encode()


def test_compiled_code_is_cached_where_one_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cache_path(name: str, *, appauthor: bool) -> Path:
        return tmp_path / "cache"

    monkeypatch.setattr(kernels, "user_cache_path", cache_path)
    folder = Path(kernels.cache_folder())
    assert folder.parent == tmp_path / "cache" / "numba"
    monkeypatch.setattr(Path, "read_bytes", _another_kernel)
    again = Path(kernels.cache_folder())
    assert again.parent == folder.parent
    assert again != folder
    (tmp_path / "file").touch()

    def file_path(name: str, *, appauthor: bool) -> Path:
        return tmp_path / "file"

    monkeypatch.setattr(kernels, "user_cache_path", file_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert Path(kernels.cache_folder()).parent == tmp_path


def test_signature_of_nothing() -> None:
    assert set(signature(shingle("", 5)).tolist()) == {0xFFFFFFFF}
