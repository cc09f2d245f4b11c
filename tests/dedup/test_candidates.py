"""Which rows are candidates of each other: the compiled search against its definition, in plain Python."""

from collections import defaultdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen.dedup.batch import first_of_active
from datagen.dedup.engines.candidates import Runs, runs_of_bands, runs_of_keys
from datagen.dedup.engines.rowtable import RowTable
from datagen.dedup.engines.verify import Evidence
from datagen.dedup.kernels.column import Column, Strings
from datagen.dedup.kernels.native import ShingleSets, band_keys
from datagen.dedup.lsh import choose_bands

# Keys that share low bits, and so a place in the filter, high bits, or all of them.
keys = st.integers(0, 2**32 - 1) | st.sampled_from([high << 24 | low for high in range(4) for low in (0, 1, 2**24 - 1)])


def listed(runs: Runs) -> list[list[int]]:
    return [runs.rows[a:b].tolist() for a, b in zip(runs.starts[:-1].tolist(), runs.starts[1:].tolist(), strict=True)]


@settings(max_examples=100, deadline=None)
@given(st.lists(keys, max_size=200))
def test_runs_are_the_rows_with_equal_keys(values: list[int]) -> None:
    rows: dict[int, list[int]] = defaultdict(list)
    for row, key in enumerate(values):
        rows[key].append(row)
    assert listed(runs_of_keys(np.array(values, dtype=np.uint32))) == [found for _, found in sorted(rows.items()) if len(found) > 1]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), min_size=2, max_size=6, unique=True), max_size=8), st.sets(st.integers(0, 30)))
def test_rows_that_are_left_out_leave_their_runs(groups: list[list[int]], stay: set[int]) -> None:
    rows = sorted(stay)
    runs = Runs(np.array([row for group in groups for row in group], dtype=np.int64), np.cumsum([0, *map(len, groups)]))
    none = ShingleSets(np.zeros(0, dtype=np.uint64), np.zeros(len(rows) + 1, dtype=np.int64))
    nothing = np.zeros(len(rows), dtype=np.uint64)
    (found,) = Evidence(np.array(rows, dtype=np.int64), none, none, nothing, nothing).positions([runs])
    expected = [[rows.index(row) for row in group if row in stay] for group in groups]
    assert listed(found) == [group for group in expected if len(group) > 1]


def test_identical_rows_have_the_same_first_row() -> None:
    texts = ["退房时间是中午 12 点，请在前台办理。", "Breakfast starts at seven in the hall.", "breakfast starts at seven in the hall!"]
    rows = [texts[0], texts[1], texts[2], "", texts[1], texts[0], "", "Pool towels are at the desk."]
    for column in (Strings(rows), Column.of(rows)):
        table = RowTable.of_texts(column)
        active, first = first_of_active(table, runs_of_bands(band_keys(column, 5, choose_bands(0.7))))
        assert active.tolist() == [0, 1, 2, 3, 4, 5, 6]
        assert first.tolist() == [0, 1, 2, 3, 1, 0, 3]
