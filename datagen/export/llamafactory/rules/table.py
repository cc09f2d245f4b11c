"""A dataset file as LLaMA-Factory's loader sees it: one table with one type a column, or a crash.

LLaMA-Factory loads files with the ``datasets`` library (<= 4.0.0) on Arrow: keys absent in a row become null, also inside turns; a column
whose values have two types stops the run; in ``.jsonl`` a text column that holds only dates becomes timestamps, which are no longer
text. This module does the same to Python values; a value that would become a timestamp is replaced by
:class:`~datagen.export.llamafactory.rules.types.Timestamp`. Lines over 10 MiB and the files of a folder are pieces, and the first settles
the types.

Not modelled: columns named like dates in ``.json`` arrays; unsigned 64-bit numbers beside negative ones.

Source: datasets 4.0.0: packaged_modules/json/json.py, table.py; re-checked by the acceptance suite (tests/acceptance).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from datagen.export.llamafactory.rules.types import ColumnType, Conflict, as_type, becomes_number, is_plain, merge, misfit, type_of
from datagen.jsonl import JsonObject


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


class _Piece(NamedTuple):
    rows: Sequence[JsonObject]
    start: int
    dates: bool


def build_table(rows: Sequence[JsonObject], lines: Sequence[int], *, dates: bool, starts: Sequence[int] = (0,)) -> Table:
    """Unify types over rows; ``dates`` says whether texts that look like dates become timestamps.

    ``starts`` are the rows at which a new piece begins: the types of the first piece bind all later ones.
    """
    if not rows or not any(rows):
        return Table([], [], (), FileProblem("no_rows", "the file holds no rows with columns", "write at least one row"), len(rows))
    columns: dict[str, ColumnType] = {}
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        piece = _Piece(rows[start:stop], start, dates)
        found = _types(piece)
        problem = found if isinstance(found, FileProblem) else None if start == 0 else _late(columns, found, piece)
        if problem:
            line = lines[problem.row] if problem.row is not None else None
            return Table([], [], (), FileProblem(problem.code, problem.message, problem.fix, problem.row, line), len(rows))
        if start == 0 and not isinstance(found, FileProblem):
            columns = found
    changed = columns if len(starts) > 1 else {key: kind for key, kind in columns.items() if not is_plain(kind)}
    blank = dict.fromkeys(columns)
    filled = [blank | row | {key: as_type(row.get(key), kind) for key, kind in changed.items()} for row in rows]
    return Table(filled, list(lines), tuple(columns), None, len(rows))


def _types(piece: _Piece) -> dict[str, ColumnType] | FileProblem:
    found: dict[str, ColumnType] = {}
    for i, row in enumerate(piece.rows, start=piece.start):
        for key, value in row.items():
            into = found.get(key)
            if into is None:
                found[key] = into = ColumnType()
            elif into.kind == "string" and type(value) is str:
                continue
            try:
                merge(into, value, key, piece.dates)
            except Conflict as error:
                fix = error.fix or f"write '{key}' with one type in every row (empty text or list instead of another type)"
                return FileProblem(error.code, error.message, fix, i)
    return found


def _late(columns: dict[str, ColumnType], found: dict[str, ColumnType], piece: _Piece) -> FileProblem | None:
    """Say what in a later piece cannot become the type that the first one settled."""
    for key, kind in found.items():
        first = columns.get(key)
        why = misfit(first, kind, key)
        if why and first and (first.kind, kind.kind) == ("number", "string"):
            if all(becomes_number(row.get(key), double=first.double) for row in piece.rows):
                continue
            row = next(i for i, row in enumerate(piece.rows) if not becomes_number(row.get(key), double=first.double))
        elif why:
            row = next((i for i, row in enumerate(piece.rows) if key in row and misfit(first, type_of(row[key], key, piece.dates), key)), 0)
        else:
            continue
        message = f"{why}: the loader settles types by the first 10 MiB of lines, or the first file of a folder, and stops"
        fix = f"write '{key}' in every row and with its type ('' or [] instead of null), or save all rows as one .json array"
        return FileProblem("late_type", message, fix, piece.start + row)
    return None
