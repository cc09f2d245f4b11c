"""Registering a dataset in a LLaMA-Factory data directory: ``<name>_train`` and ``<name>_eval``.

Rows that LLaMA-Factory would drop or stop on are refused before anything is written. Data files are written first, the index last,
each atomically, under the directory's lock. Registering the same content again changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, cast

from datagen.dedup.leakage.refusal import NamedRows, refuse_leaks
from datagen.errors import DataError, UsageError
from datagen.export.findings import Finding
from datagen.export.formats import encode_rows, to_rows
from datagen.export.llamafactory.registry.dataset_info import FILE_NAME, check_name, is_ours, locked, read_info, write_info
from datagen.export.llamafactory.registry.entry import read_entry, write_entry
from datagen.export.llamafactory.rules.check import check_rows
from datagen.export.size_advice import SizeAdvice, advise
from datagen.hashing import sha256_hex
from datagen.jsonl import JsonObject, write_bytes
from datagen.schemas.detect import RowFormat
from datagen.schemas.record import ConversationRecord, FeedbackRecord, PreferenceRecord
from datagen.schemas.sample import Sample

Replace = bool | Literal["own"]


@dataclass(frozen=True, slots=True)
class Registration:
    """What was registered. ``changed`` is false if everything was there already; ``warnings`` are rows trained on to your harm;
    ``advice`` says what the number of train rows is worth."""

    train_entry: str
    eval_entry: str | None
    train_file: Path
    eval_file: Path | None
    train_rows: int
    eval_rows: int
    train_sha256: str
    eval_sha256: str | None
    format: RowFormat
    changed: bool
    warnings: tuple[Finding, ...] = ()
    advice: tuple[SizeAdvice, ...] = ()

    def to_json(self) -> JsonObject:
        return {
            "train_entry": self.train_entry,
            "eval_entry": self.eval_entry,
            "train_file": str(self.train_file),
            "eval_file": str(self.eval_file) if self.eval_file else None,
            "train_rows": self.train_rows,
            "eval_rows": self.eval_rows,
            "train_sha256": self.train_sha256,
            "eval_sha256": self.eval_sha256,
            "format": self.format,
            "changed": self.changed,
            "warnings": len(self.warnings),
            "advice": [advice.to_json() for advice in self.advice],
        }


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    file: Path
    data: bytes
    entry: JsonObject
    rows: int
    sha256: str
    warnings: tuple[Finding, ...]


def register(
    data_dir: Path,
    name: str,
    train: Sequence[Sample],
    eval_: Sequence[Sample],
    *,
    replace: Replace,
    format: RowFormat | None = None,
    allow_leaks: bool = False,
) -> Registration:
    """Write ``<name>_train.json``, ``<name>_eval.json`` and their entries in ``dataset_info.json``.

    Args:
        data_dir: LLaMA-Factory data directory; made if it does not exist.
        name: without commas, blanks, slashes or quotes.
        train: at least one sample.
        eval_: may be empty; then there is no eval entry, and an own stale one is removed when replacing.
        replace: False refuses to change anything that is registered; ``"own"`` changes entries datagen wrote, True any.
        format: row format; by default the one that fits the records (alpaca, sharegpt, preference, kto, text).
        allow_leaks: register train rows that leak into eval rows, too; see :mod:`datagen.dedup.leakage.refusal`.

    Raises:
        UsageError: bad name, or an entry or file of that name may not be replaced.
        DataError: no train samples, train rows that leak into eval rows, a sample that the format cannot hold, rows that LLaMA-Factory
            would drop or stop on, or a broken index.
        WorkspaceBusy: another process holds the directory.
    """
    check_name(name)
    if not train:
        raise DataError(f"nothing to register as {name}_train: there are no samples")
    if not allow_leaks:
        refuse_leaks([NamedRows(train, "train")], [NamedRows(eval_, "eval")], override="allow_leaks=True (register --allow-leaks)")
    chosen = format or fitting_format([*train, *eval_])
    parts = [_part(data_dir, f"{name}_{side}", samples, chosen) for side, samples in (("train", train), ("eval", eval_)) if samples]
    with locked(data_dir):
        entries = read_info(data_dir)
        pending = [part for part in parts if not _is_current(part, entries)]
        for part in pending:
            _check_replace(part.name, part.file, entries, replace, sha256=part.sha256)
        stale = f"{name}_eval" if not eval_ and is_ours(entries.get(f"{name}_eval")) else None
        if stale:
            _check_replace(stale, data_dir / f"{stale}.json", entries, replace)
        for part in pending:
            write_bytes(part.file, part.data)
            entries[part.name] = part.entry
        if stale:
            del entries[stale]
        if pending or stale:
            write_info(data_dir, entries)
    held = parts[1] if len(parts) > 1 else None
    return Registration(
        train_entry=parts[0].name,
        eval_entry=held.name if held else None,
        train_file=parts[0].file,
        eval_file=held.file if held else None,
        train_rows=parts[0].rows,
        eval_rows=held.rows if held else 0,
        train_sha256=parts[0].sha256,
        eval_sha256=held.sha256 if held else None,
        format=chosen,
        changed=bool(pending or stale),
        warnings=tuple(warning for part in parts for warning in part.warnings),
        advice=tuple(advise(train)),
    )


def fitting_format(samples: Sequence[Sample]) -> RowFormat:
    """Return the row format LLaMA-Factory trains these samples from: alpaca unless tools or their results need sharegpt."""
    first = samples[0].record
    if isinstance(first, PreferenceRecord):
        return "preference"
    if isinstance(first, FeedbackRecord):
        return "kto"
    if not isinstance(first, ConversationRecord):
        return "text"
    messages = [m for s in samples if isinstance(s.record, ConversationRecord) for m in s.record.messages]
    return "sharegpt" if any(m.role == "tool" or m.tool_calls for m in messages) else "alpaca"


def _part(data_dir: Path, name: str, samples: Sequence[Sample], format: RowFormat) -> _Part:
    rows = to_rows(samples, format)
    data = encode_rows(rows, lines=False)
    sha256 = sha256_hex(data)
    file = data_dir / f"{name}.json"
    metadata: JsonObject = {"sha256": sha256, "rows": len(rows), "created_by": f"datagen {_version()}"}
    entry = write_entry(file.name, format, tuple(rows[0]), metadata)
    report = check_rows(rows, read_entry(name, entry))
    if report.errors:
        shown = "; ".join(f"row {f.line or '-'}: {f.message}" for f in report.errors[:5])
        more = f" (and {len(report.errors) - 5} more)" if len(report.errors) > 5 else ""
        raise DataError(f"{name}: LLaMA-Factory would drop or stop on {len(report.errors)} rows: {shown}{more}", hint=report.errors[0].fix)
    return _Part(name, file, data, entry, len(rows), sha256, report.findings)


def _is_current(part: _Part, entries: JsonObject) -> bool:
    old = cast("dict[str, Any]", entries.get(part.name)) if is_ours(entries.get(part.name)) else None
    if old is None or not part.file.is_file() or sha256_hex(part.file.read_bytes()) != part.sha256:
        return False
    return _unsigned(old) == _unsigned(part.entry) and old["datagen"].get("sha256") == part.sha256


def _unsigned(entry: JsonObject) -> JsonObject:
    return {key: value for key, value in entry.items() if key != "datagen"}


def _check_replace(name: str, file: Path, entries: JsonObject, replace: Replace, *, sha256: str = "") -> None:
    if replace is True:
        return
    where = file.parent / FILE_NAME
    if name in entries and not is_ours(entries[name]):
        raise UsageError(f"entry '{name}' in {where} was not written by datagen", hint="choose another name, or replace it with --replace")
    if name in entries and not replace:
        raise UsageError(f"entry '{name}' in {where} holds other content", hint="replace it with --replace, or choose another name")
    # The very rows, without an entry: a kill between file and index left them, and the same call goes on.
    if name not in entries and file.exists() and sha256_hex(file.read_bytes()) != sha256:
        raise UsageError(f"{file} exists but is not registered", hint="move it, choose another name, or replace it with --replace")


def _version() -> str:
    try:
        return version("datagen")
    except PackageNotFoundError:
        return "from a checkout"
