"""A dataset file as LLaMA-Factory's loader sees it: one table with one type a column, or a crash.

LLaMA-Factory loads files with the ``datasets`` library (<= 4.0.0) on Arrow: keys absent in a row become null, also inside turns; a column
whose values have two types stops the run; in ``.jsonl`` a text column that holds only dates becomes timestamps, which are no longer
text. This module does the same to Python values; a value that would become a timestamp is replaced by :class:`Timestamp`.

Not modelled: files over 10 MB are read in batches whose types may differ; columns named like dates in ``.json`` arrays.

Source: datasets 4.0.0: packaged_modules/json/json.py; facts re-checked by the acceptance suite (tests/acceptance).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from datagen.jsonl import JsonObject

_DATE = re.compile(r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])([ T]\d{2}:\d{2}(:\d{2})?)?Z?")
Kind = Literal["null", "bool", "number", "string", "timestamp", "list", "object"]


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A text that Arrow turned into a point in time."""

    text: str


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A reason why the whole file cannot be loaded. ``row`` is 0-based, ``line`` 1-based, when one is to blame."""

    code: str
    message: str
    fix: str
    row: int | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows after loading, each with all columns, and the 1-based line (``.jsonl``) or position of each."""

    rows: list[JsonObject]
    lines: list[int]
    columns: tuple[str, ...]
    problem: FileProblem | None = None
    n_rows: int = 0


@dataclass(slots=True)
class _Type:
    kind: Kind = "null"
    item: "_Type | None" = None
    fields: "dict[str, _Type]" = field(default_factory=dict[str, "_Type"])


class _Conflict(Exception):
    pass


def build_table(rows: Sequence[JsonObject], lines: Sequence[int], *, dates: bool) -> Table:
    """Unify types over rows; ``dates`` says whether texts that look like dates become timestamps."""
    if not rows or not any(rows):
        return Table([], [], (), FileProblem("no_rows", "the file holds no rows with columns", "write at least one row"), len(rows))
    columns: dict[str, _Type] = {}
    for i, row in enumerate(rows):
        for key, value in row.items():
            try:
                _merge(columns.setdefault(key, _Type()), value, key, dates)
            except _Conflict as error:
                fix = f"write '{key}' with one type in every row (empty text or list instead of another type)"
                return Table([], [], (), FileProblem("mixed_types", str(error), fix, i, lines[i]), len(rows))
    filled = [{key: _fill(row.get(key), kind) for key, kind in columns.items()} for row in rows]
    return Table(filled, list(lines), tuple(columns), None, len(rows))


def _merge(into: _Type, value: object, where: str, dates: bool) -> None:
    kind = _kind(value, dates)
    if kind == "null":
        return
    if into.kind == "null":
        into.kind = kind
    elif {into.kind, kind} == {"timestamp", "string"}:
        into.kind = "string"
    elif into.kind != kind:
        raise _Conflict(f"column '{where}' holds {into.kind} in earlier rows and {kind} here; the loader stops on it")
    if isinstance(value, list):
        into.item = into.item or _Type()
        for item in cast("list[object]", value):
            _merge(into.item, item, where, dates)
    elif isinstance(value, dict):
        for key, item in cast("JsonObject", value).items():
            _merge(into.fields.setdefault(key, _Type()), item, f"{where}.{key}", dates)


def _kind(value: object, dates: bool) -> Kind:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "timestamp" if dates and _is_date(value) else "string"
        case list():
            return "list"
        case _:
            return "object"


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _fill(value: Any, kind: _Type) -> Any:
    if value is None:
        return None
    if kind.kind == "timestamp":
        return Timestamp(value)
    if kind.kind == "list" and kind.item:
        return [_fill(item, kind.item) for item in value]
    if kind.kind == "object":
        return {key: _fill(value.get(key), inner) for key, inner in kind.fields.items()}
    return value
