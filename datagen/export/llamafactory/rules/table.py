"""A dataset file as LLaMA-Factory's loader sees it: one table with one type a column, or a crash.

LLaMA-Factory loads files with the ``datasets`` library (<= 4.0.0) on Arrow: keys absent in a row become null, also inside turns; a column
whose values have two types stops the run; in ``.jsonl`` a text column that holds only dates becomes timestamps, which are no longer
text. This module does the same to Python values; a value that would become a timestamp is replaced by :class:`Timestamp`.

A file of lines over 10 MiB is read in pieces, and the first piece settles the types.

Not modelled: columns named like dates in ``.json`` arrays; unsigned 64-bit numbers beside negative ones.

Source: datasets 4.0.0: packaged_modules/json/json.py, table.py; re-checked by the acceptance suite (tests/acceptance).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from datagen.jsonl import JsonObject

_DATE = re.compile(r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])([ T]\d{2}:\d{2}(:\d{2})?)?Z?")
_DEEPEST = 62  # lists and objects within each other in one column; Arrow stops at 64 with the row and the column
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
    """``double``: some number is no whole one of 64 bits; ``lossy``: some number would lose by becoming one."""

    kind: Kind = "null"
    item: "_Type | None" = None
    fields: "dict[str, _Type]" = field(default_factory=dict[str, "_Type"])
    double: bool = False
    lossy: bool = False


class _Conflict(Exception):
    def __init__(self, message: str, code: str = "mixed_types", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.fix = fix


def build_table(rows: Sequence[JsonObject], lines: Sequence[int], *, dates: bool, starts: Sequence[int] = (0,)) -> Table:
    """Unify types over rows; ``dates`` says whether texts that look like dates become timestamps.

    ``starts`` are the rows at which the loader begins a new piece of the file: the types of the first piece bind all later ones.
    """
    if not rows or not any(rows):
        return Table([], [], (), FileProblem("no_rows", "the file holds no rows with columns", "write at least one row"), len(rows))
    columns: dict[str, _Type] = {}
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        piece: dict[str, _Type] = {}
        for i in range(start, stop):
            for key, value in rows[i].items():
                try:
                    into = piece.get(key)
                    if into is None:
                        piece[key] = into = _Type()
                    elif into.kind == "string" and type(value) is str:
                        continue
                    _merge(into, value, key, dates)
                except _Conflict as error:
                    fix = error.fix or f"write '{key}' with one type in every row (empty text or list instead of another type)"
                    return Table([], [], (), FileProblem(error.code, error.message, fix, i, lines[i]), len(rows))
        if start == 0:
            columns = piece
            continue
        for key, kind in piece.items():
            if misfit := _misfit(columns.get(key), kind, key):
                row = next(i for i in range(start, stop) if key in rows[i] and _is_misfit(columns.get(key), rows[i][key], key, dates))
                fix = f"write '{key}' in every row and with its type ('' or [] instead of null), or save the rows as a .json array"
                return Table([], [], (), FileProblem("late_type", misfit, fix, row, lines[row]), len(rows))
    nested = {key: kind for key, kind in columns.items() if not _is_plain(kind)}
    blank = dict.fromkeys(columns)
    filled = [blank | row | {key: _fill(row.get(key), kind) for key, kind in nested.items()} for row in rows]
    return Table(filled, list(lines), tuple(columns), None, len(rows))


def _merge(into: _Type, value: object, where: str, dates: bool, depth: int = 0) -> None:
    kind = _kind(value, dates)
    if kind == "null":
        return
    if into.kind == "null":
        into.kind = kind
    elif {into.kind, kind} == {"timestamp", "string"}:
        into.kind = "string"
    elif into.kind != kind:
        raise _Conflict(f"column '{where}' holds {into.kind} in earlier rows and {kind} here; the loader stops on it")
    if kind == "number":
        number = cast("int | float", value)
        into.double |= isinstance(value, float) or not -(2**63) <= number < 2**63
        into.lossy |= number % 1 != 0 or not -(2**63) <= number < 2**63
        return
    if kind in ("list", "object") and depth == _DEEPEST:
        column = where.split(".", 1)[0]
        raise _Conflict(f"column '{column}' is nested more than {_DEEPEST} deep", "nested_too_deeply", "write it as JSON text")
    if isinstance(value, list):
        into.item = into.item or _Type()
        for item in cast("list[object]", value):
            _merge(into.item, item, where, dates, depth + 1)
    elif isinstance(value, dict):
        for key, item in cast("JsonObject", value).items():
            _merge(into.fields.setdefault(key, _Type()), item, f"{where}.{key}", dates, depth + 1)


def _misfit(first: _Type | None, later: _Type, where: str) -> str:
    """Say why values of type ``later`` cannot become ``first``, the type in the first piece of the file; '' if they can."""
    pieces = "the loader settles types by the file's first 10 MiB and stops"
    if first is None:
        return f"'{where}' is absent at first and comes only here: {pieces}"
    if later.kind == "null" or (first.kind, later.kind) == ("string", "timestamp"):
        return ""
    if first.kind == "null":
        return f"'{where}' is null or empty at first and {later.kind} here: {pieces}"
    if first.kind != later.kind:
        return f"'{where}' is {first.kind} at first and {later.kind} here: {pieces}"
    if later.lossy and not first.double:
        return f"'{where}' holds whole numbers at first and others here: {pieces}"
    if later.item:
        return _misfit(first.item or _Type(), later.item, where)
    return next((why for key, kind in later.fields.items() if (why := _misfit(first.fields.get(key), kind, f"{where}.{key}"))), "")


def _is_misfit(first: _Type | None, value: object, where: str, dates: bool) -> bool:
    kind = _Type()
    _merge(kind, value, where, dates)
    return bool(_misfit(first, kind, where))


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


def _is_plain(kind: _Type) -> bool:
    """Tell whether values of the type stay as they are."""
    return kind.kind not in ("timestamp", "object") and (kind.item is None or _is_plain(kind.item))


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
