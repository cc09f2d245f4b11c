"""Write a repaired copy that LLaMA-Factory keeps every row of. The input is never touched."""

import codecs
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from datagen.errors import DataError, UsageError
from datagen.export.formats import encode_rows, uniform_rows
from datagen.export.llamafactory.registry.entry import read_entry, write_entry
from datagen.export.llamafactory.repair.values import repair_row
from datagen.export.llamafactory.rules.check import Report, check_rows
from datagen.export.llamafactory.rules.files import load_table
from datagen.export.llamafactory.rules.types import Timestamp
from datagen.ingest.decoding import Unreadable, decode
from datagen.jsonl import JsonObject, parse_json, same_file, write_bytes
from datagen.schemas.detect import FORMATS, Detection, RowFormat, detect_format, named_format


@dataclass(frozen=True, slots=True)
class Change:
    """One thing set right, or the reason why a row is left out. ``line`` as in the input; None for the file as a whole."""

    line: int | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Repair:
    """What was written. ``rows_in == rows_out + len(left_out)``; ``after`` is the report on the copy under ``entry``."""

    out: Path
    format: RowFormat
    rows_in: int
    rows_out: int
    changes: tuple[Change, ...]
    left_out: tuple[Change, ...]
    entry: JsonObject
    after: Report

    def to_json(self) -> JsonObject:
        return {
            "out": str(self.out),
            "format": self.format,
            "rows_in": self.rows_in,
            "rows_out": self.rows_out,
            "changed": dict(Counter(change.code for change in self.changes)),
            "changes": [asdict(change) for change in self.changes],
            "left_out": [asdict(change) for change in self.left_out],
            "entry": self.entry,
            "after": self.after.to_json(),
        }


def repair(path: Path, out: Path, *, format: RowFormat | None = None) -> Repair:
    """Write a repaired copy of ``path`` to ``out`` (``.json``: an array; ``.jsonl``: one row a line).

    Repaired: encoding and byte order mark, types, nulls, tag names, labels, tools and calls, turns that do not alternate, trailing turns.
    A row that cannot be set right without inventing content is left out, with its reason. Columns that no format has are not carried.

    Raises:
        UsageError: ``out`` is the input, or of another suffix.
        DataError: the file is not JSON at all, no format fits, or no row can be kept; nothing is written then.
    """
    if same_file(out, path):
        raise UsageError(f"{out} is the input itself", hint="write the copy to another file")
    if out.suffix not in (".json", ".jsonl"):
        raise UsageError(f"a repaired copy is .json or .jsonl, not '{out.suffix}'")
    changes: list[Change] = []
    left_out: list[Change] = []
    values, lines = _lenient_rows(path, changes, left_out)
    detection = _detection(path, values, format)
    # OpenAI rows are written as ShareGPT: LLaMA-Factory's own converter for them changes system prompts.
    target: RowFormat = "sharegpt" if detection.format == "openai" else detection.format
    rows, kept_lines = _repaired(values, lines, detection, target, changes, left_out)
    rows, kept_lines = _keepable(rows, kept_lines, target, left_out)
    if not rows:
        reasons = ", ".join(f"{code} {n}" for code, n in Counter(change.code for change in left_out).most_common(3))
        raise DataError(f"{path}: no row can be repaired ({reasons})")
    _note_columns(values, detection, changes)
    rows = uniform_rows(rows)
    entry = write_entry(out.name, target, tuple(rows[0]), {"repaired_from": path.name})
    after = _check(rows, target, dates=out.suffix == ".jsonl")
    write_bytes(out, encode_rows(rows, lines=out.suffix == ".jsonl"))
    ordered = tuple(sorted(left_out, key=lambda change: change.line or 0))
    return Repair(out, target, len(values) + _unparsed(left_out), len(rows), tuple(changes), ordered, entry, after)


def _lenient_rows(path: Path, changes: list[Change], left_out: list[Change]) -> tuple[list[JsonObject], list[int]]:
    if path.suffix in (".csv", ".parquet", ".arrow", ".txt"):
        table = load_table(path)
        if table.problem:
            raise DataError(f"{path}: {table.problem.message}", hint=table.problem.fix)
        plain = [{key: value.text if isinstance(value, Timestamp) else value for key, value in row.items()} for row in table.rows]
        return plain, table.lines
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    try:
        return _parsed(path, _decoded(path, changes), left_out)
    except RecursionError as error:
        raise DataError(f"{path}: JSON is nested too deeply", hint="flatten the rows") from error


def _parsed(path: Path, text: str, left_out: list[Change]) -> tuple[list[JsonObject], list[int]]:
    if text.lstrip()[:1] == "[":
        try:
            parsed = cast("list[object]", parse_json(text))
        except json.JSONDecodeError as error:
            raise DataError(f"{path}:{error.lineno}: not valid JSON: {error.msg}", hint="repair the JSON by hand") from error
        numbered = list(enumerate(parsed, start=1))
    else:
        numbered = []
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                numbered.append((number, parse_json(line)))
            except json.JSONDecodeError as error:
                left_out.append(Change(number, "not_json", f"not valid JSON: {error.msg} (column {error.colno})"))
    for number, value in numbered:
        if not isinstance(value, dict):
            left_out.append(Change(number, "row_type", f"expected a JSON object, got {type(value).__name__}"))
    objects = [(number, cast("JsonObject", value)) for number, value in numbered if isinstance(value, dict)]
    return [value for _, value in objects], [number for number, _ in objects]


def _decoded(path: Path, changes: list[Change]) -> str:
    raw = path.read_bytes()
    try:
        text = decode(raw)
    except Unreadable as error:
        raise DataError(f"{path}: {error}", hint="save the file as UTF-8") from error
    if raw.startswith(codecs.BOM_UTF8):
        changes.append(Change(None, "byte_order_mark", "the byte order mark was removed"))
    elif text.encode(errors="replace") != raw:
        changes.append(Change(None, "encoding", "the file was not UTF-8; the copy is"))
    return text.removeprefix("\ufeff")


def _detection(path: Path, values: list[JsonObject], format: RowFormat | None) -> Detection:
    present = [{key: value for key, value in row.items() if value is not None} for row in values]
    try:
        found = named_format(format, present) if format else detect_format(present)
    except DataError as error:
        raise DataError(f"{path}: {error.message}", hint=error.hint) from error
    if found.format == "datagen":
        raise UsageError(f"{path}: holds datagen samples, which need no repair")
    return found


def _repaired(
    values: list[JsonObject],
    lines: list[int],
    detection: Detection,
    target: RowFormat,
    changes: list[Change],
    left_out: list[Change],
) -> tuple[list[JsonObject], list[int]]:
    rows: list[JsonObject] = []
    kept: list[int] = []
    for value, line in zip(values, lines, strict=True):
        found: list[Change] = []

        def changed(code: str, message: str, line: int = line, found: list[Change] = found) -> None:
            found.append(Change(line, code, message))

        fixed = repair_row(detection.layout.normalise(value), detection.format, changed)
        try:
            # The persona style keeps instruction and input apart, as they were.
            record = FORMATS[detection.format].read(fixed, "persona")
            written = FORMATS[target].write(record)
        except DataError as error:
            left_out.append(Change(line, "unreadable", error.message))
            continue
        rows.append(repair_row(written, target, changed) if target != detection.format else written)
        kept.append(line)
        changes += found
    return rows, kept


def _keepable(rows: list[JsonObject], lines: list[int], format: RowFormat, left_out: list[Change]) -> tuple[list[JsonObject], list[int]]:
    """Leave out what LLaMA-Factory would still drop or stop on, until nothing of that kind is left."""
    while rows:
        report = _check(uniform_rows(rows), format, dates=False)
        wrong = {f.row: f for f in report.errors if f.row is not None}
        if not wrong:
            break
        left_out += [Change(lines[row], f.code, f.message) for row, f in wrong.items()]
        keep = [i for i in range(len(rows)) if i not in wrong]
        rows, lines = [rows[i] for i in keep], [lines[i] for i in keep]
    return rows, lines


def _check(rows: list[JsonObject], format: RowFormat, *, dates: bool) -> Report:
    entry = read_entry("repaired", write_entry("repaired.json", format, tuple(rows[0]), {}))
    return check_rows(rows, entry, dates=dates)


def _note_columns(values: list[JsonObject], detection: Detection, changes: list[Change]) -> None:
    known = FORMATS[detection.format].columns
    seen: dict[str, Any] = dict.fromkeys(detection.layout.columns.get(key, key) for row in values for key in row)
    changes += [Change(None, "column_not_carried", f"column '{column}' is not carried over") for column in seen if column not in known]


def _unparsed(left_out: list[Change]) -> int:
    return sum(change.code in ("not_json", "row_type") for change in left_out)
