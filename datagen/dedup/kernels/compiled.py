"""``compiled``: numba's ``njit`` for loops that hold no lock and are compiled once a machine.

Compiled code is cached on disk, in the user's cache folder because the package's own may be read-only; ``NUMBA_CACHE_DIR`` overrides it.
numba compiles a function anew when its own file changes, not when a file of what it calls does; so each state of all kernels has a folder.
"""

import os
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from platformdirs import user_cache_path

Function = TypeVar("Function", bound=Callable[..., Any])


def cache_folder() -> str:
    """Return the user's cache folder for this state of the kernels, or, where none can be made, a fresh temporary one."""
    folder = user_cache_path("datagen", appauthor=False) / "numba" / _state()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return tempfile.mkdtemp(prefix="datagen-numba-")
    return str(folder) if os.access(folder, os.W_OK) else tempfile.mkdtemp(prefix="datagen-numba-")


def _state() -> str:
    """Return a hash of every file that kernels or their constants are written in."""
    here = Path(__file__).parent
    files = [*sorted(here.glob("*.py")), *(here.parent / name for name in ("shingle.py", "minhash.py", "lsh.py"))]
    return sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = cache_folder()


def compiled(function: Function) -> Function:
    """Compile a function on its first call; it releases the interpreter's lock, so that threads run it side by side."""
    # numba reads its cache folder when it is imported.
    from numba import njit

    dispatcher: Any = njit(cache=True, nogil=True)(function)
    return dispatcher
