"""Arrays that grow on disk while a file is read, and come back as memory maps."""

from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from datagen.jsonl import guard_disk


class Spill:
    """Named arrays in a folder. Append, then :meth:`finish`, then read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Spill":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # After an error the files go with their folder: what they still hold need not reach a disk that may be full.
        with suppress(OSError) if error else nullcontext():
            self._stack.close()

    def append(self, name: str, values: npt.NDArray[Any]) -> None:
        """Append values to an array.

        Raises:
            DiskRefused: the disk is full.
        """
        path = self._folder / name
        with guard_disk(path):
            if name not in self._files:
                self._files[name] = self._stack.enter_context(path.open("ab"))
            self._files[name].write(values.tobytes())

    def finish(self) -> None:
        """Flush what was appended and close all files.

        Raises:
            DiskRefused: the disk is full.
        """
        with guard_disk(self._folder):
            self._stack.close()
        self._files.clear()

    def read(self, name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return an array, mapped from disk; empty if nothing was appended."""
        path = self._folder / name
        if not path.exists() or not path.stat().st_size:
            return np.zeros(0, dtype=dtype)
        return np.asarray(np.memmap(path, dtype=dtype, mode="c"))

    def remove(self, name: str) -> None:
        """Give an array's disk space back."""
        (self._folder / name).unlink(missing_ok=True)
