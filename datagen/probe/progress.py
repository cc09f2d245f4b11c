"""Where a probe stands, as told to whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass

from datagen.probe.result import Expected


@dataclass(frozen=True, slots=True)
class ProbeProgress:
    """Optimizer steps done and in all (cached runs count as done), seconds left if known, and what is done now."""

    done: int
    total: int
    eta_s: float | None
    note: str


OnProgress = Callable[[ProbeProgress], None]
OnExpected = Callable[[Expected], None]
