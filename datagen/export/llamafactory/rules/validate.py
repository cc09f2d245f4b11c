"""``validate`` on a file, on a ``dataset_info.json``, or on one of its entries."""

from pathlib import Path

from datagen.errors import DataError, UsageError, suggest
from datagen.export.findings import Finding
from datagen.export.llamafactory.registry.dataset_info import FILE_NAME, read_info
from datagen.export.llamafactory.registry.entry import Entry, entry_for_detected, read_entry
from datagen.export.llamafactory.rules.check import Report, check_table, default_stage
from datagen.export.llamafactory.rules.files import load_table
from datagen.export.llamafactory.rules.stages import Stage
from datagen.export.llamafactory.rules.table import Table
from datagen.export.llamafactory.tokens.check import TokenCheck, token_check
from datagen.schemas.detect import Detection, RowFormat, detect_format, named_format


def validate(
    path: Path,
    *,
    name: str | None = None,
    stage: Stage | None = None,
    format: RowFormat | None = None,
    model: str | Path | None = None,
    template: str | None = None,
    cutoff_len: int = 2048,
    packing: bool = False,
) -> Report:
    """Predict what LLaMA-Factory does with every row.

    ``path`` is a dataset file, a ``dataset_info.json``, or the folder that holds one; for the latter two ``name`` picks one entry (or the
    pair ``name_train`` and ``name_eval``), else all local entries are checked. Without ``stage``, each set is checked for the stage it is
    made for. ``packing``: also how many sequences LLaMA-Factory packs rows of stage sft into (``packing`` or ``neat_packing``).

    Raises:
        UsageError: no such file or entry, or a set that is not a local file.
        MissingExtra: ``model`` is given and transformers is not installed.
        DataError: ``dataset_info.json`` itself cannot be read, or no format fits the file.
    """
    if model is None and (template is not None or packing):
        given = "packing" if template is None else "a template"
        raise UsageError(f"{given} needs the model whose tokenizer it is used with", hint="give --model DIR")
    tokens = token_check(model, template=template, cutoff_len=cutoff_len, packing=packing) if model is not None else None
    if path.is_dir() or path.name == FILE_NAME:
        data_dir = path if path.is_dir() else path.parent
        return _validate_info(data_dir, name, stage, tokens)
    table = load_table(path)
    if table.problem:
        entry = Entry(path.stem, path.name, False, "alpaca", False, {}, {})
        return check_table(table, entry, stage or "sft")
    detection = _detect(path, table, format)
    if detection.format == "datagen":
        raise UsageError(f"{path}: holds datagen samples, not rows LLaMA-Factory reads", hint="register them, or convert them first")
    entry = entry_for_detected(path, detection, table.rows)
    return check_table(table, entry, stage or default_stage(entry), tokens)


def entry_file(path: Path, name: str | None) -> Path:
    """Return the data file that ``path`` is or, for a data directory, that the entry ``name`` has.

    Raises:
        UsageError: a data directory without one entry chosen, or an entry without a local file.
    """
    if not path.is_dir() and path.name != FILE_NAME:
        return path
    data_dir = path if path.is_dir() else path.parent
    entries = read_info(data_dir)
    if name is None or name not in entries:
        raise UsageError("--fix repairs one file: choose an entry with --name", hint=suggest(name or "", entries))
    entry = read_entry(name, entries[name])
    if entry.remote or not entry.file_name:
        raise UsageError(f"entry '{name}' has no local file to repair")
    return data_dir / entry.file_name


def _detect(path: Path, table: Table, format: RowFormat | None) -> Detection:
    rows = [{key: value for key, value in row.items() if value is not None} for row in table.rows]
    try:
        return named_format(format, rows) if format else detect_format(rows)
    except DataError as error:
        raise DataError(f"{path}: {error.message}", hint=error.hint) from error


def _validate_info(data_dir: Path, name: str | None, stage: Stage | None, tokens: TokenCheck | None) -> Report:
    path = data_dir / FILE_NAME
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    entries = read_info(data_dir)
    names = list(entries) if name is None else [n for n in (name, f"{name}_train", f"{name}_eval") if n in entries]
    if not names:
        raise UsageError(f"no entry '{name}' in {path}", hint=suggest(name or "", entries))
    report = Report()
    for each in names:
        try:
            entry = read_entry(each, entries[each])
        except DataError as error:
            report += Report(findings=(Finding(each, None, "entry_malformed", "crash", error.message, "write the entry as an object"),))
            continue
        if entry.remote:
            if name is not None:
                raise UsageError(f"entry '{each}' is not a local file; datagen checks local files only")
            continue
        report += _validate_entry(data_dir, entry, stage, tokens)
    return report


def _validate_entry(data_dir: Path, entry: Entry, stage: Stage | None, tokens: TokenCheck | None) -> Report:
    if not entry.file_name:
        return _unusable(
            entry, "no_file_name", "the entry has no file_name: LLaMA-Factory stops with KeyError 'file_name'", "add file_name"
        )
    file = data_dir / entry.file_name
    if not file.exists():
        return _unusable(entry, "file_missing", f"'File {file} not found.'", "correct file_name; it is relative to the data directory")
    return check_table(load_table(file), entry, stage or default_stage(entry), tokens)


def _unusable(entry: Entry, code: str, message: str, fix: str) -> Report:
    return Report(findings=(Finding(entry.name, None, code, "crash", message, fix),), datasets=(entry.name,))
