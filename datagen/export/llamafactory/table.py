"""A dataset file as LLaMA-Factory's loader sees it: one table with one type a column, or a crash.

LLaMA-Factory loads files with the ``datasets`` library (<= 4.0.0) on Arrow: keys absent in a row become null, also inside turns; a column
whose values have two types stops the run; in ``.jsonl`` a text column that holds only dates becomes timestamps, which are no longer
text. This module does the same to Python values; a value that would become a timestamp is replaced by :class:`Timestamp`.

Not modelled: files over 10 MB are read in batches whose types may differ; columns named like dates in ``.json`` arrays.

Source: datasets 4.0.0: packaged_modules/json/json.py; facts re-checked by the acceptance suite (tests/acceptance).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

from datagen.errors import UsageError
from datagen.jsonl import JsonObject

_SUFFIXES = (".arrow", ".csv", ".json", ".jsonl", ".parquet", ".txt")
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


def load_table(path: Path) -> Table:
    """Load a file as LLaMA-Factory would.

    Raises:
        UsageError: no such file, or a kind of file datagen does not check (arrow, csv, parquet).
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    if path.suffix not in _SUFFIXES:
        fix = "rename the file to .json or .jsonl"
        return _broken("file_type", f"LLaMA-Factory does not read '{path.suffix}' files; it reads {', '.join(_SUFFIXES)}", fix)
    if path.suffix in (".arrow", ".csv", ".parquet"):
        raise UsageError(f"{path}: datagen checks .json, .jsonl and .txt files only", hint="convert the file to .json first")
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return _broken("encoding", f"not UTF-8 (byte 0x{raw[error.start]:02x})", "save the file as UTF-8", line=line)
    if path.suffix == ".txt":
        lines = text.removesuffix("\n").split("\n") if text else []
        return build_table([{"text": line.removesuffix("\r")} for line in lines], list(range(1, len(lines) + 1)), dates=False)
    bom = text.startswith("\ufeff")
    text = text.removeprefix("\ufeff")
    is_array = text.lstrip()[:1] == "["
    if bom and is_array:
        return _broken("byte_order_mark", "a JSON array must not start with a byte order mark", "save as UTF-8 without BOM")
    parsed = _parse_array(text) if is_array else _parse_lines(text)
    if isinstance(parsed, FileProblem):
        return Table([], [], (), parsed)
    values, numbers = parsed
    for i, value in enumerate(values):
        if not isinstance(value, dict):
            message = f"expected a JSON object, got {type(value).__name__}"
            return Table([], [], (), FileProblem("row_type", message, "make every row an object", i, numbers[i]), len(values))
    return build_table(cast("list[JsonObject]", values), numbers, dates=not is_array)


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


def _parse_array(text: str) -> tuple[list[object], list[int]] | FileProblem:
    try:
        values = cast("list[object]", json.loads(text))
    except json.JSONDecodeError as error:
        return FileProblem("not_json", f"not valid JSON: {error.msg} (column {error.colno})", "repair the JSON", None, error.lineno)
    return values, list(range(1, len(values) + 1))


def _parse_lines(text: str) -> tuple[list[object], list[int]] | FileProblem:
    try:
        return [json.loads(text)], [1]
    except json.JSONDecodeError:
        values: list[object] = []
        numbers: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values.append(json.loads(line))
        except json.JSONDecodeError as error:
            message = f"not valid JSON: {error.msg} (column {error.colno})"
            return FileProblem("not_json", message, "repair or remove the line", len(values), number)
        numbers.append(number)
    return values, numbers


def _broken(code: str, message: str, fix: str, line: int | None = None) -> Table:
    return Table([], [], (), FileProblem(code, message, fix, None, line))
