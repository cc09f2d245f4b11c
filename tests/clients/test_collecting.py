"""The garbage collector inside and outside overlapping blocks."""

import gc

from datagen.clients.collecting import rare_collections


def test_blocks_that_overlap_leave_the_collector_as_it_was() -> None:
    before = (gc.get_threshold(), gc.get_freeze_count())
    one, other = rare_collections(), rare_collections()
    one.__enter__()
    assert gc.get_threshold()[0] == 50_000
    assert gc.get_freeze_count() > before[1]
    other.__enter__()
    one.__exit__(None, None, None)
    assert gc.get_threshold()[0] == 50_000
    other.__exit__(None, None, None)
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_a_collector_that_is_switched_off_stays_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        with rare_collections():
            assert gc.get_threshold()[0] == 0
        assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)
