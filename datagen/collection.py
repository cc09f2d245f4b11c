"""Work on many small objects without Python's search for reference cycles among them."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Generator[None]:
    """Pause the cycle collector, and put it back as it was: where millions of objects are made that hold no cycles and all live on, it
    walks them again and again, a third of the time of reading rows and twice that of making a deduplication's result."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
