"""Python's cyclic garbage collector while a thousand requests are under way.

What a request allocates is freed by reference counts. But with 1,024 under way some 100,000 of their objects live at any moment, and the
collector's default of one pass per 700 new objects goes over them again and again: measured, a quarter of the CPU time of a request
(``make bench-generate``). Inside the block it makes a pass per 50,000, and leaves alone what was there before (imported modules).
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager

_NEW_OBJECTS = 50_000
_blocks = 0
_threshold = gc.get_threshold()


@contextmanager
def rare_collections() -> Generator[None]:
    """Collect rarely inside the block; blocks may overlap, as coroutines do. A collector that is switched off stays off."""
    global _blocks, _threshold
    if not _blocks:
        _threshold = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(_NEW_OBJECTS if _threshold[0] else 0, *_threshold[1:])
    _blocks += 1
    try:
        yield
    finally:
        _blocks -= 1
        if not _blocks:
            gc.set_threshold(*_threshold)
            gc.unfreeze()
