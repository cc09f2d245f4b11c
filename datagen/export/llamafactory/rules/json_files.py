"""JSON files as LLaMA-Factory's loader sees them: an array through pandas, lines through pyarrow, each with its own idea of JSON.

pandas (arrays) takes raw control characters, reads NaN as null and stops on whole numbers beyond 64 bits. pyarrow (lines) takes objects
over several lines in small files and null as an empty row, and stops on a key that occurs twice in a row, on a lone surrogate and on a
number beyond a double. Lines are read in pieces of 10 MiB whose types are settled by the first piece.

Not modelled, and said to stop the run although it does not: in an array a row that is an empty list, and numbers that begin with 0.

Source: datasets 4.0.0: packaged_modules/json/json.py; observed verdicts in tests/acceptance/cases.json
"""

import json
import math
import re
from collections.abc import Sequence
from typing import Any, cast

from datagen.export.llamafactory.rules.table import FileProblem, Table, build_table
from datagen.jsonl import JsonObject

PIECE_BYTES = 10 << 20
_BLOCK_BYTES = PIECE_BYTES // 32  # pyarrow's block: an object over several lines must not straddle two
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SPACE = re.compile(r"\s*")


def load_json(text: str) -> Table:
    """Load the text of a ``.json`` or ``.jsonl`` file; the content, not the name, says whether it is an array."""
    bom = text.startswith("\ufeff")
    text = text.removeprefix("\ufeff")
    is_array = text.lstrip()[:1] == "["
    if bom and is_array:
        fix = "save as UTF-8 without BOM"
        return _stopped(FileProblem("byte_order_mark", "a JSON array must not start with a byte order mark", fix))
    try:
        values, numbers = _array(text) if is_array else _Lines(text).read()
    except RecursionError:
        return _stopped(FileProblem("nested_too_deeply", "JSON is nested too deeply", "flatten the rows"))
    except _Refused as error:
        return _stopped(error.problem)
    for i, value in enumerate(values):
        if not isinstance(value, dict):
            message = f"expected a JSON object, got {type(value).__name__}"
            return _stopped(FileProblem("row_type", message, "make every row an object", i, numbers[i]), len(values))
    rows = cast("list[JsonObject]", values)
    return build_table(rows, numbers, dates=not is_array, starts=(0,) if is_array else _pieces(text, numbers))


class _Refused(Exception):
    def __init__(self, problem: FileProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _stopped(problem: FileProblem, n_rows: int = 0) -> Table:
    return Table([], [], (), problem, n_rows)


def _array(text: str) -> tuple[list[object], list[int]]:
    def whole(digits: str) -> int:
        value = int(digits[:24])
        if not -(2**63) <= value < 2**64:
            message = f"the number {digits[:24]} is beyond 64 bits" if len(digits) <= 24 else f"a number of {len(digits)} digits"
            raise _Refused(FileProblem("number_too_big", message, "write it as text"))
        return value

    constants = {"NaN": None, "Infinity": math.inf, "-Infinity": -math.inf}
    try:
        values = json.loads(text, strict=False, parse_int=whole, parse_constant=constants.__getitem__)
    except json.JSONDecodeError as error:
        raise _Refused(_not_json(error, error.lineno, None, "repair the JSON")) from error
    return values, list(range(1, len(values) + 1))


class _Lines:
    """Reads JSON lines; ``_doubled`` is a key that occurs twice in the object parsed last, which is the row itself."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._doubled: str | None = None
        self._values: list[object] = []
        self._numbers: list[int] = []
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_float=self._float, parse_int=_whole)

    def read(self) -> tuple[list[object], list[int]]:
        start = 0
        for number, line in enumerate(self._text.split("\n"), start=1):
            if line and not line.isspace():
                try:
                    self._add(self._decoder.decode(line), line, number)
                except json.JSONDecodeError as error:
                    refusal = _Refused(_not_json(error, number, len(self._values), "repair or remove the line"))
                    if len(self._text) > _BLOCK_BYTES:
                        raise refusal from error
                    self._read_over_lines(start, number, refusal)
                    break
            start += len(line) + 1
        return self._values, self._numbers

    def _read_over_lines(self, start: int, number: int, refusal: _Refused) -> None:
        """Read objects wherever they end; ``refusal`` if there is not one at ``start``, which is on line ``number``."""
        begin = _skip(self._text, start)
        while begin < len(self._text):
            line = number + self._text.count("\n", start, begin)
            try:
                value, end = self._decoder.raw_decode(self._text, begin)
            except json.JSONDecodeError as error:
                first = begin == _skip(self._text, start)
                raise refusal if first else _Refused(_not_json(error, line, len(self._values), "repair the JSON")) from error
            self._add(value, self._text[begin:end], line)
            begin = _skip(self._text, end)

    def _add(self, value: object, source: str, line: int) -> None:
        row = len(self._values)
        if isinstance(value, dict) and self._doubled is not None:
            raise _Refused(FileProblem("key_twice", f"the key '{self._doubled}' occurs twice", "remove one of the two", row, line))
        if _SURROGATE.search(source):
            try:
                json.dumps(value, ensure_ascii=False).encode()
            except UnicodeEncodeError as error:
                message = "half of a surrogate pair (\\ud800 to \\udfff), which is no character"
                raise _Refused(FileProblem("lone_surrogate", message, "remove it, or write the whole pair", row, line)) from error
        self._values.append({} if value is None else value)
        self._numbers.append(line)

    def _object(self, pairs: list[tuple[str, Any]]) -> JsonObject:
        value = dict(pairs)
        self._doubled = None
        if len(value) < len(pairs):
            names = [name for name, _ in pairs]
            self._doubled = next(name for name in names if names.count(name) > 1)
        return value

    def _float(self, digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            message = f"the number {digits:.24} is too big for a double"
            raise _Refused(FileProblem("number_too_big", message, "write it as text", len(self._values)))
        return value


def _whole(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # more digits than Python reads; pyarrow makes a double of them
        return float(digits)


def _skip(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    return match.end() if match else start


def _not_json(error: json.JSONDecodeError, line: int, row: int | None, fix: str) -> FileProblem:
    return FileProblem("not_json", f"not valid JSON: {error.msg} (column {error.colno})", fix, row, line)


def _pieces(text: str, numbers: Sequence[int]) -> tuple[int, ...]:
    """Return the rows at which a new piece of the file begins: 10 MiB, and on to the end of the line."""
    raw = text.encode("utf-8", "surrogatepass")
    starts, at, line, row = [0], 0, 0, 0
    while at + PIECE_BYTES < len(raw):
        end = raw.find(b"\n", at + PIECE_BYTES) + 1 or len(raw)
        line += raw.count(b"\n", at, end)
        at = end
        while row < len(numbers) and numbers[row] <= line:
            row += 1
        if 0 < row < len(numbers) and row != starts[-1]:
            starts.append(row)
    return tuple(starts)
