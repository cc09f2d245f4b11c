"""What a run's adapter wrote, beside the run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from datagen.jsonl import read_json, write_json


class Written(NamedTuple):
    """What a model wrote for one question, and whether it ended by itself (not at the token cap)."""

    text: str
    ended: bool


def stored_answers(path: Path) -> list[Written] | None:
    """Return answers written by :func:`store_answers`, None if there are none."""
    return [Written(str(text), bool(ended)) for text, ended in read_json(path)] if path.is_file() else None


def store_answers(path: Path, answers: Sequence[Written]) -> None:
    """Write answers atomically."""
    write_json(path, [[a.text, a.ended] for a in answers])
