"""Whatever a caller holds, as rows to compare: strings, dicts in any known format, a polars frame, a file."""

import json
from collections.abc import Callable, Sequence
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from datagen.dedup.compared import Compared, On, of_record, of_text
from datagen.dedup.kernels.column import Strings, Texts
from datagen.errors import DataError, UsageError
from datagen.jsonl import JsonObject, read_rows
from datagen.schemas.detect import FORMATS, detect_format
from datagen.schemas.sample import Sample

Read = Callable[[JsonObject], Compared]


class OpenRows(NamedTuple):
    """Rows one by one; how to give those of a mask back in the caller's container; whether all are strings."""

    items: list[Any]
    restore: Callable[[npt.NDArray[np.bool_]], Any]
    all_strings: bool = False


def open_rows(rows: Any) -> OpenRows:
    """Open whatever a caller holds.

    Raises:
        UsageError: something that is not rows.
        DataError: the file cannot be read; names ``file:line``.
    """
    if isinstance(rows, str | Path):
        rows = [row.value for row in read_rows(Path(rows))]
    if hasattr(rows, "iter_rows"):
        return OpenRows(list(rows.iter_rows(named=True)), rows.filter)
    if not isinstance(rows, Sequence):
        raise UsageError(f"cannot deduplicate a {type(rows).__name__}", hint="give a list of strings or dicts, a polars frame or a path")
    items = cast("list[Any]", rows) if isinstance(rows, list) else list(cast("Sequence[Any]", rows))
    kinds = set(map(type, items))
    if not kinds <= {str, dict}:
        for i, item in enumerate(items):
            if not isinstance(item, str | dict):
                raise UsageError(f"row {i}: cannot deduplicate a {type(item).__name__}", hint="rows are strings or dicts")

    def restore(mask: npt.NDArray[np.bool_]) -> list[Any]:
        return list(compress(items, mask.tolist()))

    return OpenRows(items, restore, kinds <= {str})


def text_column(opened: OpenRows) -> Texts | None:
    """Return the text of rows that are nothing but text (strings; rows of format ``text``), which need no row objects; else None."""
    items = opened.items
    if opened.all_strings:
        return Strings(items)
    head = [item for item in items[:200] if isinstance(item, dict)]
    if not _is_text(head) or not all(isinstance(item, dict) for item in items):
        return None
    texts = [item.get("text") for item in items]
    known = not any(item.keys() - head[0].keys() for item in items)
    return Strings(texts) if known and _all_said(texts) else None


def read_compared(items: Sequence[Any], on: On) -> list[Compared]:
    """Return what is compared of strings and dicts."""
    read = reader([item for item in items if isinstance(item, dict)], on)
    return [of_text(item) if isinstance(item, str) else read(item) for item in items]


def reader(rows: Sequence[JsonObject], on: On) -> Read:
    """Return how a row is read: by the rows' format; a row that is in no known format by all its values."""
    try:
        detection = detect_format(rows)
    except DataError:
        return all_values

    def read(row: JsonObject) -> Compared:
        try:
            if detection.format == "datagen":
                return of_record(Sample.model_validate(row).record, on)
            return of_record(FORMATS[detection.format].read(detection.layout.normalise(row), detection.style), on)
        except (DataError, ValidationError):
            return all_values(row)

    return read


def all_values(row: JsonObject) -> Compared:
    """Compare a row in no known format: by all its values, in the order of their names."""
    values = [value if isinstance(value, str) else _text(value) for _, value in sorted(row.items())]
    return Compared(_text(row).encode("utf-8", "surrogatepass"), "\n".join(values))


def _text(value: object) -> str:
    """Return a value as text, the same for equal values; unlike canonical JSON also NaN and dates, which rows of others hold."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def _is_text(rows: Sequence[JsonObject]) -> bool:
    try:
        return detect_format(rows).format == "text"
    except DataError:
        return False


def _all_said(texts: Sequence[Any]) -> bool:
    """Tell whether all are texts and none is blank."""
    return all(isinstance(text, str) and text.strip() for text in texts)
