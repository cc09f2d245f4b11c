"""How a run tells what it is doing; the command line draws it, a library caller may ignore it."""

from typing import Protocol


class Listener(Protocol):
    """Receives a run's progress. Calls come in order, from one thread."""

    def stage(self, iteration: int, name: str) -> None:
        """A stage begins (also when its result is then taken from disk)."""
        ...

    def advance(self, done: int, total: int, note: str) -> None:
        """Within the current stage, ``done`` of ``total`` units are finished; ``note`` holds rates, yield or losses."""
        ...


class Silent:
    """A listener that ignores everything."""

    def stage(self, iteration: int, name: str) -> None:
        del iteration, name

    def advance(self, done: int, total: int, note: str) -> None:
        del done, total, note
