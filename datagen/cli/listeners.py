"""How ``run`` and ``iterate`` show progress: bars on a terminal, lines elsewhere, and JSON lines in a file for other programs."""

import json
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from datagen.cli.console import progress, say
from datagen.jsonl import JsonObject
from datagen.pipeline.progress import Listener


@contextmanager
def listening(file: Path | None = None) -> Generator[Listener]:
    """Open the display that suits stderr; with ``file``, progress is appended to it as well."""
    if sys.stderr.isatty():
        with progress() as display:
            yield _Both(_Drawn(display), _Written(file)) if file else _Drawn(display)
    else:
        yield _Both(_Told(), _Written(file)) if file else _Told()


class _Both:
    """Passes progress on to two listeners."""

    def __init__(self, first: Listener, second: Listener) -> None:
        self._listeners = (first, second)

    def stage(self, iteration: int, name: str) -> None:
        for listener in self._listeners:
            listener.stage(iteration, name)

    def advance(self, done: int, total: int, note: str) -> None:
        for listener in self._listeners:
            listener.advance(done, total, note)


class _Written:
    """Appends ``{"time", "iteration", "stage"}`` for a stage and ``{"time", "done", "total", "note"}`` within it, at most five a second."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._last = 0.0

    def stage(self, iteration: int, name: str) -> None:
        self._append({"time": time.time(), "iteration": iteration, "stage": name})
        self._last = 0.0

    def advance(self, done: int, total: int, note: str) -> None:
        now = time.time()
        if now - self._last >= 0.2 or done >= total:
            self._last = now
            self._append({"time": now, "done": done, "total": total, "note": note})

    def _append(self, value: JsonObject) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(value, ensure_ascii=False) + "\n")


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
