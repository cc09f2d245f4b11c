"""Reading a dataset file, or a folder of them, as LLaMA-Factory's loader does: by suffix, strictly UTF-8, all of a folder as one table.

Source: LLaMA-Factory: src/llamafactory/data/loader.py, extras/constants.py FILEEXT2TYPE; datasets 4.0.0: packaged_modules
"""

import os
from collections.abc import Callable
from pathlib import Path

from datagen.errors import UsageError
from datagen.export.llamafactory.rules.json_files import load_json
from datagen.export.llamafactory.rules.table import FileProblem, Table, build_table
from datagen.jsonl import JsonObject

SUFFIXES = (".arrow", ".csv", ".json", ".jsonl", ".parquet", ".txt")


def load_table(path: Path) -> Table:
    """Load a file, or all files of a folder, as LLaMA-Factory would.

    Raises:
        UsageError: no such file or folder.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    if path.suffix not in SUFFIXES:
        message = f"LLaMA-Factory does not read '{path.suffix}' files; it reads {', '.join(SUFFIXES)}"
        return broken("file_type", message, "rename the file to .json or .jsonl")
    return _loader(path.suffix)(path)


def broken(code: str, message: str, fix: str, *, row: int | None = None, line: int | None = None) -> Table:
    """Return a table that cannot be loaded."""
    return Table([], [], (), FileProblem(code, message, fix, row, line))


def decoded(path: Path) -> str | Table:
    """Return a file's text, or the broken table if it is not UTF-8."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return broken("encoding", f"not UTF-8 (byte 0x{raw[error.start]:02x})", "save the file as UTF-8", line=line)


def _loader(suffix: str) -> Callable[[Path], Table]:
    if suffix in (".json", ".jsonl"):
        return _json
    if suffix == ".txt":
        return _txt
    from datagen.export.llamafactory.rules import tabular

    return {".csv": tabular.load_csv, ".parquet": tabular.load_parquet, ".arrow": tabular.load_arrow}[suffix]


def _folder(path: Path) -> Table:
    """Join the files of a folder in the order the file system gives, as the loader does: the first one settles the types."""
    parts = [path / name for name in os.listdir(path)]  # noqa: PTH208  the loader's order
    kinds = {"json" if part.suffix == ".jsonl" else part.suffix.removeprefix(".") for part in parts}
    if not parts:
        return broken("empty_folder", "the folder holds no files: the loader stops with an IndexError", "put data files in it")
    if stray := next((part for part in sorted(parts) if part.is_dir() or part.suffix not in SUFFIXES), None):
        message = f"the folder holds {stray.name}, which is no data file; hidden files and sub-folders count"
        return broken("folder_stray_file", message, "keep nothing but data files of one kind in the folder")
    if len(kinds) > 1:
        return broken("folder_mixed_types", f"'File types should be identical.': {', '.join(sorted(kinds))}", "keep one kind of file")
    tables = [(part, load_table(part)) for part in parts]
    rows: list[JsonObject] = []
    lines: list[int] = []
    starts: list[int] = []
    for part, table in tables:
        if table.problem and table.problem.code == "no_rows" and len(tables) > 1 and rows:
            continue
        if p := table.problem:
            return broken(p.code, f"{part.name}: {p.message}", p.fix, row=p.row, line=p.line)
        starts.append(len(rows))
        rows += table.rows
        lines += table.lines
    return build_table(rows, lines, dates=False, starts=starts)


def _txt(path: Path) -> Table:
    text = decoded(path)
    if isinstance(text, Table):
        return text
    lines = text.removesuffix("\n").split("\n") if text else []
    return build_table([{"text": line.removesuffix("\r")} for line in lines], list(range(1, len(lines) + 1)), dates=False)


def _json(path: Path) -> Table:
    text = decoded(path)
    return text if isinstance(text, Table) else load_json(text)
