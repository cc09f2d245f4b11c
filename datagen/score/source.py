"""What is audited: a dataset file, a LLaMA-Factory directory or entry, or samples already in memory.

Reading for an audit is forgiving where reading for training is not: a row that no codec takes is kept out of the figures and reported as
``unreadable_row`` with its place, so that one broken row does not hide the state of the others. Only a file of which no row can be read is
an error.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from datagen.errors import DataError, UsageError, suggest
from datagen.export.llamafactory.registry.dataset_info import FILE_NAME, read_info
from datagen.export.llamafactory.registry.entry import read_entry
from datagen.export.llamafactory.rules.files import load_table
from datagen.jsonl import JsonObject, Row
from datagen.schemas.detect import Detection, detect_format, raw_rows, read_row
from datagen.schemas.fields import read_tools
from datagen.schemas.sample import Sample

_TABULAR = (".csv", ".parquet", ".arrow")
_SUFFIXES = (".json", ".jsonl", ".txt", *_TABULAR)


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row that could be read. ``line`` is its 1-based line (``.jsonl``, ``.txt``) or position (``.json`` array) in ``dataset``."""

    dataset: str
    line: int
    sample: Sample


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row no codec takes, and why."""

    dataset: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Source:
    """Rows in file order, files in the order of ``dataset_info.json``. ``skipped`` names entries that are not local files."""

    name: str
    rows: list[SourceRow]
    unreadable: list[Unreadable]
    skipped: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """All rows, unreadable ones too."""
        return len(self.rows) + len(self.unreadable)

    @property
    def samples(self) -> list[Sample]:
        return [row.sample for row in self.rows]


def open_source(data: Path | str | Sequence[Sample], *, name: str | None = None) -> Source:
    """Open what is to be audited.

    Args:
        data: a dataset file in any known row format, a ``dataset_info.json`` or the folder that holds one, or samples.
        name: of a LLaMA-Factory directory, one entry (or the pair ``name_train`` and ``name_eval``); default: all local files.

    Raises:
        UsageError: no such file, folder or entry.
        DataError: no row at all could be read; names the first one.
    """
    if not isinstance(data, str | Path):
        return Source("samples", [SourceRow("samples", i, s) for i, s in enumerate(data, 1)], [])
    path = Path(data)
    if path.is_dir() or path.name == FILE_NAME:
        return _open_directory(path if path.is_dir() else path.parent, name)
    if name is not None:
        raise UsageError(f"{path} is a dataset file and has no entries", hint="give --name only with a dataset_info.json")
    rows, unreadable = _open_file(path, path.name)
    return Source(path.name, rows, unreadable)


def _open_directory(folder: Path, name: str | None) -> Source:
    if not (folder / FILE_NAME).is_file():
        raise UsageError(f"{folder}: no {FILE_NAME} in this folder", hint="give a dataset file, or a LLaMA-Factory data folder")
    entries = read_info(folder)
    names = list(entries) if name is None else [n for n in (name, f"{name}_train", f"{name}_eval") if n in entries]
    if not names:
        raise UsageError(f"no entry '{name}' in {folder / FILE_NAME}", hint=suggest(name or "", entries))
    rows: list[SourceRow] = []
    unreadable: list[Unreadable] = []
    skipped: list[str] = []
    for each in names:
        entry = read_entry(each, entries[each])
        file = folder / entry.file_name
        if entry.remote or not entry.file_name or not file.is_file() or file.suffix not in _SUFFIXES:
            skipped.append(each)
            continue
        found, broken = _open_file(file, each, {own: _CANONICAL[role] for role, own in entry.columns.items() if role in _CANONICAL})
        rows += found
        unreadable += broken
    if not rows:
        raise UsageError(f"{folder / FILE_NAME}: none of its {len(names)} entries is a local file", hint="register one, or give a file")
    return Source(name or folder.name, rows, unreadable, tuple(skipped))


_CANONICAL = {"prompt": "instruction", "query": "input", "response": "output", "messages": "conversations", "kto_tag": "kto_tag"} | {
    column: column for column in ("history", "system", "tools", "images", "videos", "audios", "chosen", "rejected")
}


def _open_file(path: Path, dataset: str, columns: dict[str, str] | None = None) -> tuple[list[SourceRow], list[Unreadable]]:
    raw = _raw_rows(path)
    rows = [Row(row.line, _flat(row.value)) for row in raw]
    detection = _detect(path, [row.value for row in rows], columns or {})
    read: list[SourceRow] = []
    broken: list[Unreadable] = []
    for row in rows:
        try:
            read.append(SourceRow(dataset, row.line, read_row(row.value, detection)))
        except DataError as error:
            broken.append(Unreadable(dataset, row.line, error.message))
    if not read:
        raise DataError(f"{path}:{broken[0].line}: {broken[0].message}", hint="no row of this file could be read")
    return read, broken


def _detect(path: Path, rows: list[JsonObject], columns: dict[str, str]) -> Detection:
    """Tell the format; the names of a LLaMA-Factory entry help where the file's own names say nothing."""
    try:
        return detect_format(rows)
    except DataError as error:
        renamed = {own: canonical for own, canonical in columns.items() if own != canonical}
        if not renamed:
            raise DataError(f"{path}: {error.message}", hint=error.hint) from error
        found = detect_format([{renamed.get(key, key): value for key, value in row.items()} for row in rows])
        found.layout.columns.update(renamed)
        return found


def _raw_rows(path: Path) -> list[Row]:
    if path.suffix in _TABULAR:
        table = load_table(path)
        if table.problem:
            raise DataError(f"{path}: {table.problem.message}", hint=table.problem.fix)
        return [Row(line, {k: v for k, v in row.items() if v is not None}) for line, row in zip(table.lines, table.rows, strict=True)]
    return raw_rows(path)


def _flat(row: JsonObject) -> JsonObject:
    """Bring LLaMA-Factory's v1 rows (content as typed blocks, pairs as two whole conversations) to the shapes the codecs read.

    Source: LLaMA-Factory: docs of the v1 engine, ``messages[].content[].{type, value}``.
    """
    chosen, rejected = row.get("chosen_messages"), row.get("rejected_messages")
    if _turns(chosen) and _turns(rejected):
        good, bad = [_flat_turn(t) for t in _turns(chosen)], [_flat_turn(t) for t in _turns(rejected)]
        return {"conversations": good[:-1], "chosen": good[-1], "rejected": bad[-1]}
    if any(_blocks(turn.get("content")) for turn in _turns(row.get("messages"))):
        return {**row, "messages": [_flat_turn(turn) for turn in _turns(row["messages"])], "tools": _tools(row.get("tools"))}
    return row


def _tools(value: object) -> object:
    return list(read_tools(value)) if isinstance(value, str) else (value or [])


def _turns(value: object) -> list[JsonObject]:
    items: list[Any] = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("JsonObject", item) for item in items if isinstance(item, dict)]


def _blocks(content: object) -> bool:
    return isinstance(content, list) and any("value" in block for block in _turns(cast("object", content)))


def _flat_turn(turn: JsonObject) -> JsonObject:
    content = turn.get("content")
    if not _blocks(content):
        return turn
    parts = [block.get("value", "") for block in _turns(content) if not str(block.get("type", "")).endswith("_url")]
    texts = [part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in parts]
    return {**{k: v for k, v in turn.items() if k != "loss_weight"}, "content": "\n".join(texts)}
