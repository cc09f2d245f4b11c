"""``validate`` on a file, on a ``dataset_info.json``, or on one of its entries."""

from pathlib import Path

from datagen.errors import DataError, UsageError, suggest
from datagen.export.llamafactory.dataset_info import FILE_NAME, read_info
from datagen.export.llamafactory.entry import Entry, entry_for_detected, read_entry
from datagen.export.llamafactory.rules import Finding, Report, check_table, default_stage
from datagen.export.llamafactory.stages import Stage
from datagen.export.llamafactory.table import Table, load_table
from datagen.schemas.detect import Detection, RowFormat, detect_format, named_format


def validate(path: Path, *, name: str | None = None, stage: Stage | None = None, format: RowFormat | None = None) -> Report:
    """Predict what LLaMA-Factory does with every row.

    ``path`` is a dataset file, a ``dataset_info.json``, or the folder that holds one; for the latter two ``name`` picks one entry (or the
    pair ``name_train`` and ``name_eval``), else all local entries are checked. Without ``stage``, each set is checked for the stage it is
    made for.

    Raises:
        UsageError: no such file or entry, or a set that is not a local file.
        DataError: ``dataset_info.json`` itself cannot be read, or no format fits the file.
    """
    if path.is_dir() or path.name == FILE_NAME:
        data_dir = path if path.is_dir() else path.parent
        return _validate_info(data_dir, name, stage)
    table = load_table(path)
    if table.problem:
        entry = Entry(path.stem, path.name, False, "alpaca", False, {}, {})
        return check_table(table, entry, stage or "sft")
    detection = _detect(path, table, format)
    if detection.format == "datagen":
        raise UsageError(f"{path}: holds datagen samples, not rows LLaMA-Factory reads", hint="register them, or convert them first")
    entry = entry_for_detected(path, detection, table.rows)
    return check_table(table, entry, stage or default_stage(entry))


def _detect(path: Path, table: Table, format: RowFormat | None) -> Detection:
    rows = [{key: value for key, value in row.items() if value is not None} for row in table.rows]
    try:
        return named_format(format, rows) if format else detect_format(rows)
    except DataError as error:
        raise DataError(f"{path}: {error.message}", hint=error.hint) from error


def _validate_info(data_dir: Path, name: str | None, stage: Stage | None) -> Report:
    path = data_dir / FILE_NAME
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    entries = read_info(data_dir)
    names = list(entries) if name is None else [n for n in (name, f"{name}_train", f"{name}_eval") if n in entries]
    if not names:
        raise UsageError(f"no entry '{name}' in {path}", hint=suggest(name or "", entries))
    report = Report()
    for each in names:
        entry = read_entry(each, entries[each])
        if entry.remote:
            if name is not None:
                raise UsageError(f"entry '{each}' is not a local file; datagen checks local files only")
            continue
        report += _validate_entry(data_dir, entry, stage)
    return report


def _validate_entry(data_dir: Path, entry: Entry, stage: Stage | None) -> Report:
    if not entry.file_name:
        return _unusable(
            entry, "no_file_name", "the entry has no file_name: LLaMA-Factory stops with KeyError 'file_name'", "add file_name"
        )
    file = data_dir / entry.file_name
    if not file.is_file():
        return _unusable(entry, "file_missing", f"'File {file} not found.'", "correct file_name; it is relative to this folder")
    return check_table(load_table(file), entry, stage or default_stage(entry))


def _unusable(entry: Entry, code: str, message: str, fix: str) -> Report:
    return Report(findings=(Finding(entry.name, None, code, "crash", message, fix),), datasets=(entry.name,))
