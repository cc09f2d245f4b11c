"""``compiled``: numba's ``njit`` for loops that hold no lock and are compiled once a machine.

Compiled code is cached on disk, in the user's cache folder because the package's own may be read-only; ``NUMBA_CACHE_DIR`` overrides it.
"""

import os
import tempfile
from collections.abc import Callable
from typing import Any, TypeVar

from platformdirs import user_cache_path

Function = TypeVar("Function", bound=Callable[..., Any])


def cache_folder() -> str:
    """Return the user's cache folder, or, where none can be made, a fresh temporary one."""
    folder = user_cache_path("datagen", appauthor=False) / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return tempfile.mkdtemp(prefix="datagen-numba-")
    return str(folder) if os.access(folder, os.W_OK) else tempfile.mkdtemp(prefix="datagen-numba-")


if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = cache_folder()


def compiled(function: Function) -> Function:
    """Compile a function on its first call; it releases the interpreter's lock, so that threads run it side by side."""
    # numba reads its cache folder when it is imported.
    from numba import njit

    dispatcher: Any = njit(cache=True, nogil=True)(function)
    return dispatcher
