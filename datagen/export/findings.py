"""A finding about a dataset: what is wrong with which row, how bad it is, and the fix."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["crash", "drop", "bad", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. ``row`` is 0-based, ``line`` 1-based (for a JSON array: the row's position); None for the file as a whole.

    Severities: ``crash`` the whole run (or upload) stops; ``drop`` the row is left out; ``bad`` it is trained on, to your harm; ``note``
    worth knowing.
    """

    dataset: str
    row: int | None
    code: str
    severity: Severity
    message: str
    fix: str
    line: int | None = None
