"""CSV, Parquet and Arrow files as LLaMA-Factory's loader sees them.

CSV goes through pandas there: words such as ``NA`` or ``None`` become null, and a column of numbers is no longer text. The same inference
is done here on the standard library's CSV reader, so pandas is not needed.

Source: datasets 4.0.0: packaged_modules/csv/csv.py; pandas 2.3: pandas/_libs/parsers.pyx STR_NA_VALUES
"""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from datagen.export.llamafactory.rules.files import broken, decoded
from datagen.export.llamafactory.rules.table import Table
from datagen.export.llamafactory.rules.types import Timestamp
from datagen.jsonl import JsonObject

_NULLS = "#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null"
NULL_WORDS = frozenset(["", *_NULLS.split("|")])
_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*|[+-]?inf(?:inity)?", re.IGNORECASE)
_BOOLS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_LARGEST_FIELD = 2**31 - 1


def load_csv(path: Path) -> Table:
    """Load a CSV file with a header line."""
    text = decoded(path)
    if isinstance(text, Table):
        return text
    csv.field_size_limit(_LARGEST_FIELD)
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    try:
        header = next(reader, [])
    except csv.Error as error:
        return broken("not_csv", f"not valid CSV: {error}", "convert the file to .json", line=1)
    if not header:
        return broken("no_rows", "the file holds no header", "write a header line and at least one row")
    names = _unique(header)
    cells: list[list[str]] = []
    lines: list[int] = []
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            return broken("not_csv", f"not valid CSV: {error}", "convert the file to .json", line=start)
        if fields is None:
            break
        if not fields:
            continue
        if len(fields) > len(names):
            message = f"{len(fields)} fields where the header has {len(names)}: the loader stops or shifts the columns"
            return broken("csv_fields", message, "quote fields that hold commas", row=len(cells), line=start)
        cells.append(fields + [""] * (len(names) - len(fields)))
        lines.append(start)
    if not cells:
        return broken("no_rows", "the file holds no rows", "write at least one row")
    columns = [_typed([row[i] for row in cells]) for i in range(len(names))]
    rows: list[JsonObject] = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    return Table(rows, lines, tuple(names), None, len(rows))


def load_parquet(path: Path) -> Table:
    """Load a Parquet file."""
    import polars as pl

    return _frame(path, pl.read_parquet, "Parquet")


def load_arrow(path: Path) -> Table:
    """Load an Arrow IPC stream or file."""
    import polars as pl

    with path.open("rb") as file:
        is_file = file.read(6) == b"ARROW1"
    return _frame(path, pl.read_ipc if is_file else pl.read_ipc_stream, "Arrow")


def _frame(path: Path, read: Callable[[Path], Any], kind: str) -> Table:
    import polars as pl

    try:
        rows = cast("list[JsonObject]", read(path).to_dicts())
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        return broken(f"not_{kind.lower()}", f"{path.name} is not a readable {kind} file: {error!s:.200}", "write the file again")
    if not rows:
        return broken("no_rows", "the file holds no rows", "write at least one row")
    filled = [{key: _plain(value) for key, value in row.items()} for row in rows]
    return Table(filled, list(range(1, len(rows) + 1)), tuple(rows[0]), None, len(rows))


def _plain(value: Any) -> Any:
    """Return JSON types as they are; dates, bytes and the like as :class:`Timestamp`, which is no text to any rule."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_plain(item) for item in cast("list[Any]", value)]
        case dict():
            return {key: _plain(item) for key, item in cast("JsonObject", value).items()}
        case _:
            return Timestamp(str(value))


def _typed(cells: list[str]) -> list[Any]:
    values = [None if cell in NULL_WORDS else cell for cell in cells]
    present = [value for value in values if value is not None]
    if present and all(value in _BOOLS for value in present):
        return [None if value is None else _BOOLS[value] for value in values]
    if all(_NUMBER.fullmatch(value) for value in present):
        return [None if value is None else float(value) for value in values]
    return list(values)


def _unique(header: list[str]) -> list[str]:
    """Return pandas' names: a repeated one gets ``.1``, ``.2``; an empty one ``Unnamed: <position>``."""
    names: list[str] = []
    for i, name in enumerate(header):
        base, count = name or f"Unnamed: {i}", 0
        candidate = base
        while candidate in names:
            count += 1
            candidate = f"{base}.{count}"
        names.append(candidate)
    return names
