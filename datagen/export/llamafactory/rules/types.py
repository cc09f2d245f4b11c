"""The type Arrow gives a column, and which values can still become it.

Within a piece of data all values of a column must have one type. A later piece (10 MiB of lines, the next file of a folder) is cast to the
types of the first: numbers and truth values become text, text that holds a number becomes a number, but nothing becomes null again and no
column or field can come anew.

Source: datasets 4.0.0: packaged_modules/json/json.py, table.py array_cast; observed verdicts ``pieces_*`` and ``folder_*`` in
tests/acceptance/cases.json
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from datagen.jsonl import JsonObject

DEEPEST = 62
"""Lists and objects within each other in one column; Arrow stops at 64, with the row and the column."""
_DATE = re.compile(r"\d{4}-(0\d|1[0-2])-([0-2]\d|3[01])([ T]\d{2}:\d{2}(:\d{2})?)?Z?")
Kind = Literal["null", "bool", "number", "string", "timestamp", "list", "object"]


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A text that Arrow turned into a point in time."""

    text: str


@dataclass(slots=True)
class ColumnType:
    """``double``: some number is no whole one of 64 bits; ``lossy``: some number would lose by becoming one."""

    kind: Kind = "null"
    item: "ColumnType | None" = None
    fields: "dict[str, ColumnType]" = field(default_factory=dict[str, "ColumnType"])
    double: bool = False
    lossy: bool = False


class Conflict(Exception):
    """Two values of one column that have no common type."""

    def __init__(self, message: str, code: str = "mixed_types", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.fix = fix


def merge(into: ColumnType, value: object, where: str, dates: bool, depth: int = 0) -> None:
    """Widen a type by a value; ``dates`` says whether texts that look like dates are points in time.

    Raises:
        Conflict: the value has another type, or is nested too deeply.
    """
    kind = _kind(value, dates)
    if kind == "null":
        return
    if into.kind == "null":
        into.kind = kind
    elif {into.kind, kind} == {"timestamp", "string"}:
        into.kind = "string"
    elif into.kind != kind:
        raise Conflict(f"column '{where}' holds {into.kind} in earlier rows and {kind} here; the loader stops on it")
    if kind == "number":
        number = cast("int | float", value)
        into.double |= isinstance(number, float) or not -(2**63) <= number < 2**63
        into.lossy |= number % 1 != 0 or not -(2**63) <= number < 2**63
        return
    if kind in ("list", "object") and depth == DEEPEST:
        column = where.split(".", 1)[0]
        raise Conflict(f"column '{column}' is nested more than {DEEPEST} deep", "nested_too_deeply", "write it as JSON text")
    if isinstance(value, list):
        into.item = into.item or ColumnType()
        for item in cast("list[object]", value):
            merge(into.item, item, where, dates, depth + 1)
    elif isinstance(value, dict):
        for key, item in cast("JsonObject", value).items():
            merge(into.fields.setdefault(key, ColumnType()), item, f"{where}.{key}", dates, depth + 1)


def type_of(value: object, where: str, dates: bool) -> ColumnType:
    """Return the type of one value.

    Raises:
        Conflict: as in :func:`merge`.
    """
    found = ColumnType()
    merge(found, value, where, dates)
    return found


def misfit(first: ColumnType | None, later: ColumnType, where: str) -> str:
    """Say why values of type ``later`` cannot become ``first``, the type in the first piece; '' if they can.

    Text that holds numbers can become a number, which a type does not tell: see :func:`becomes_number`.
    """
    if first is None:
        return f"'{where}' is absent at first and comes only here"
    if later.kind == "null" or (first.kind, later.kind) in _CASTS:
        return ""
    if first.kind == "number" and later.kind == "timestamp":
        return "" if not first.double else f"'{where}' is number at first and timestamp here"
    if first.kind == "timestamp" and later.kind == "number":
        return "" if not later.double else f"'{where}' is timestamp at first and number here"
    if first.kind == "null":
        return f"'{where}' is null or empty at first and {later.kind} here"
    if first.kind != later.kind:
        return f"'{where}' is {first.kind} at first and {later.kind} here"
    if later.lossy and not first.double:
        return f"'{where}' holds whole numbers at first and others here"
    if later.item:
        return misfit(first.item or ColumnType(), later.item, where)
    return next((why for key, kind in later.fields.items() if (why := misfit(first.fields.get(key), kind, f"{where}.{key}"))), "")


_CASTS = {("string", "timestamp"), ("string", "number"), ("string", "bool"), ("number", "bool"), ("bool", "number")}


def becomes_number(text: object, *, double: bool) -> bool:
    """Tell whether Arrow casts a value of a text column to a number (``double``: to any, else to a whole one); null stays null."""
    return text is None or (isinstance(text, str) and bool((_DOUBLE if double else _WHOLE).fullmatch(text)))


_WHOLE = re.compile(r"-?\d{1,18}")
_DOUBLE = re.compile(r"-?\d+(\.\d*)?([eE][+-]?\d+)?")


def is_plain(kind: ColumnType) -> bool:
    """Tell whether values of the type, in one piece, stay as they are."""
    return kind.kind not in ("timestamp", "object") and (kind.item is None or is_plain(kind.item))


def as_type(value: Any, kind: ColumnType) -> Any:
    """Return a value as it is after loading: every object with all fields, dates as :class:`Timestamp`, text where the column is text."""
    if value is None:
        return None
    match kind.kind:
        case "timestamp":
            return value if isinstance(value, Timestamp) else Timestamp(str(value))
        case "string":
            return value if isinstance(value, str) else value.text if isinstance(value, Timestamp) else str(value)
        case "bool":
            return bool(value)
        case "number":
            return value if isinstance(value, float) or type(value) is int else 0  # any number: no rule asks which
        case "list" if kind.item:
            return [as_type(item, kind.item) for item in value]
        case "object":
            return {key: as_type(value.get(key), inner) for key, inner in kind.fields.items()}
        case _:
            return value


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
        case Timestamp():
            return "timestamp"
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
