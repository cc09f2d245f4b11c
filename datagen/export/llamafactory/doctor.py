"""``doctor``: a whole LLaMA-Factory data directory checked: the index, every local entry's rows, train against eval, files nobody names."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from datagen.errors import DataError, UsageError
from datagen.export.findings import Finding
from datagen.export.llamafactory.registry.dataset_info import FILE_NAME, read_info
from datagen.export.llamafactory.registry.entry import Entry, read_entry
from datagen.export.llamafactory.registry.listing import list_registered
from datagen.export.llamafactory.rules.check import Report
from datagen.export.llamafactory.rules.files import SUFFIXES
from datagen.export.llamafactory.rules.validate import validate
from datagen.schemas.detect import read_samples
from datagen.schemas.record import prompt_text
from datagen.text import fold

_BOM = b"\xef\xbb\xbf"
_INDEX = FILE_NAME


def check_data_dir(data_dir: Path) -> Report:
    """Check a data directory; the report's findings begin with the index and end with the rows.

    Findings about the index have ``dataset`` ``dataset_info.json``. Remote entries are looked at, not fetched.

    Raises:
        UsageError: there is no ``dataset_info.json``.
    """
    path = data_dir / FILE_NAME
    if not path.is_file():
        raise UsageError(f"{path}: no such file", hint="give a LLaMA-Factory data directory")
    findings = list(_encoding(path.read_bytes()))
    try:
        entries = read_info(data_dir)
    except DataError as error:
        fix = error.hint or "repair the file by hand"
        return Report(findings=(*findings, Finding(_INDEX, None, "index_unreadable", "crash", error.message, fix)))
    for name, raw in entries.items():
        findings += _entry(data_dir, name, raw)
    findings += _changed(data_dir, entries)
    findings += _unnamed(data_dir, entries)
    findings += _train_in_eval(data_dir, entries)
    return Report(findings=tuple(findings)) + validate(data_dir)


def _encoding(raw: bytes) -> Iterator[Finding]:
    if raw.startswith(_BOM):
        yield Finding(
            _INDEX, None, "index_byte_order_mark", "crash", "'Unexpected UTF-8 BOM': no dataset can be loaded", "save without BOM"
        )
    if not raw.removeprefix(_BOM).isascii():
        message = "holds characters outside ASCII; LLaMA-Factory opens it in the locale's encoding, which fails on many Windows machines"
        yield Finding(_INDEX, None, "index_not_ascii", "note", message, "escape them (\\uXXXX); datagen register writes ASCII only")


def _entry(data_dir: Path, name: str, raw: object) -> Iterator[Finding]:
    if re.search(r",|^\s|\s$", name) or not name:
        message = "the name cannot be chosen: LLaMA-Factory splits names at commas and strips blanks"
        yield Finding(name, None, "name_unusable", "crash", message, "rename the entry")
    if not isinstance(raw, dict):
        return
    fields = cast("dict[str, Any]", raw)
    if "script_url" in fields and not any(key in fields for key in ("hf_hub_url", "ms_hub_url", "om_hub_url")):
        message = "'Dataset scripts are no longer supported': script_url is dead with datasets 4.0.0"
        yield Finding(name, None, "script_url", "crash", message, "convert the data to a file and use file_name")
    file_name = fields.get("file_name")
    if not isinstance(file_name, str):
        return
    if "\0" not in file_name and not Path(os.path.realpath(data_dir / file_name)).is_relative_to(os.path.realpath(data_dir)):
        message = f"file_name points outside this directory: {file_name}"
        yield Finding(name, None, "outside_directory", "note", message, "keep data files beside the index, so that the folder can be moved")


def _changed(data_dir: Path, entries: dict[str, Any]) -> Iterator[Finding]:
    if not all(isinstance(raw, dict) for raw in entries.values()):
        return
    for each in list_registered(data_dir):
        if each.state == "changed":
            message = f"{each.file_name} is not what datagen registered (sha256 {(each.sha256 or '')[:12]})"
            yield Finding(each.name, None, "changed_since_registered", "bad", message, "register the dataset again, or restore the file")


def _unnamed(data_dir: Path, entries: dict[str, Any]) -> Iterator[Finding]:
    named = {str(cast("dict[str, Any]", raw).get("file_name")) for raw in entries.values() if isinstance(raw, dict)}
    top = {parts[0] for name in named if (parts := Path(name).parts)}
    for path in sorted(data_dir.iterdir()):
        if path.is_file() and path.suffix in SUFFIXES and path.name not in top and path.name != FILE_NAME and not path.name.startswith("."):
            yield Finding(path.name, None, "not_registered", "note", "no entry names this file", "register it, or move it away")


def _train_in_eval(data_dir: Path, entries: dict[str, Any]) -> Iterator[Finding]:
    message, fix = "the same question is trained on: the loss on it says nothing about new questions", "datagen split keeps them apart"
    for name in entries:
        held = f"{name.removesuffix('_train')}_eval"
        if not name.endswith("_train") or held not in entries:
            continue
        trained, asked = _prompts(data_dir, name, entries), _prompts(data_dir, held, entries)
        known = {prompt for prompt, _ in trained or ()}
        for prompt, row in asked or ():
            if prompt in known:
                yield Finding(held, row, "eval_row_in_train", "bad", message, fix, row + 1)


def _prompts(data_dir: Path, name: str, entries: dict[str, Any]) -> list[tuple[str, int]] | None:
    """Return the folded questions of an entry's file with their row; None if it is not a file that can be read (validate says why)."""
    raw = entries.get(name)
    if not isinstance(raw, dict):
        return None
    try:
        entry: Entry = read_entry(name, cast("dict[str, Any]", raw))
        if entry.remote or not (data_dir / entry.file_name).is_file():
            return None
        samples = read_samples(data_dir / entry.file_name)
    except DataError:
        return None
    return [(text, i) for i, sample in enumerate(samples) if (text := fold(prompt_text(sample.record)))]
