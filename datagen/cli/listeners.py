"""How ``run`` and ``iterate`` show progress: bars on a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from datagen.cli.console import progress, say
from datagen.pipeline.progress import Listener


@contextmanager
def listening() -> Generator[Listener]:
    """Open the display that suits stderr."""
    if sys.stderr.isatty():
        with progress() as display:
            yield _Drawn(display)
    else:
        yield _Told()


class _Told:
    """Tells a run's progress in lines, for logs: each stage, and within it at most one line in ten seconds."""

    def __init__(self) -> None:
        self._where = ""
        self._last = 0.0

    def stage(self, iteration: int, name: str) -> None:
        self._where, self._last = f"{iteration:04d} {name}", time.monotonic()
        say(self._where)

    def advance(self, done: int, total: int, note: str) -> None:
        if time.monotonic() - self._last >= 10:
            self._last = time.monotonic()
            say(f"{self._where}  {done}/{total}  {note}")


class _Drawn:
    """Draws a run's progress: one bar per stage."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._task: Any = None

    def stage(self, iteration: int, name: str) -> None:
        if self._task is not None:
            task = self._display.tasks[-1]
            self._display.update(self._task, total=task.total or 1, completed=task.total or 1)
        self._task = self._display.add_task(f"{iteration:04d} {name}", total=None, note="")

    def advance(self, done: int, total: int, note: str) -> None:
        self._display.update(self._task, completed=done, total=total, note=note)
