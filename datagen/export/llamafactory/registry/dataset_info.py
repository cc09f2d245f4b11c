"""``dataset_info.json``: read, merge, write.

Written pure ASCII because LLaMA-Factory opens it in the locale's encoding, atomically, under a lock file beside it. Entries of others
and their order are kept. Keys that occur twice or NaN are refused rather than normalised away.
"""

import json
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from datagen.errors import DataError, UsageError, WorkspaceBusy
from datagen.jsonl import JsonObject, guard_disk, read_text, write_json

FILE_NAME = "dataset_info.json"
_NAME = re.compile(r"[^\s,/\\:*?\"'<>|.][^\s,/\\:*?\"'<>|]{0,99}")


def read_info(data_dir: Path) -> JsonObject:
    """Return the entries by name; empty if the file does not exist.

    Raises:
        DataError: not UTF-8, not JSON, not an object, or a name occurs twice.
    """
    path = data_dir / FILE_NAME
    if not path.exists():
        return {}
    try:
        value = json.loads(read_text(path), object_pairs_hook=_unique, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not valid JSON: {error.msg} (column {error.colno})") from error
    except ValueError as error:
        raise DataError(f"{path}: not valid JSON: a number of too many digits") from error
    except RecursionError as error:
        raise DataError(f"{path}: not valid JSON: nested too deeply") from error
    except _Unusable as error:
        raise DataError(f"{path}: {error}", hint="repair the file by hand; datagen would lose data by rewriting it") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: expected a JSON object of entries, got {type(value).__name__}")
    return cast("JsonObject", value)


def write_info(data_dir: Path, entries: JsonObject) -> None:
    """Write all entries; call inside :func:`locked`. A symbolic link is followed, not replaced."""
    write_json((data_dir / FILE_NAME).resolve(), entries, ascii_only=True)


@contextmanager
def locked(data_dir: Path, *, timeout_s: float = 30.0) -> Generator[None]:
    """Hold the lock of a data directory; made if it does not exist.

    Raises:
        WorkspaceBusy: another process holds it for longer than ``timeout_s``.
    """
    from filelock import FileLock, Timeout

    if data_dir.exists() and not data_dir.is_dir():
        raise UsageError(f"{data_dir} is a file; a LLaMA-Factory data directory is needed")
    path = data_dir / f".{FILE_NAME}.lock"
    with guard_disk(path):
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise WorkspaceBusy(f"{data_dir / FILE_NAME} is locked by another datagen", hint="wait until it ends") from error
    try:
        yield
    finally:
        lock.release()


def check_name(name: str) -> None:
    """Raise if a name cannot be chosen in LLaMA-Factory (it splits at commas) or cannot begin a file name.

    Raises:
        UsageError: says what is allowed.
    """
    if not _NAME.fullmatch(name):
        hint = "no commas, blanks, slashes, quotes or colons; no leading dot; 100 characters at most"
        raise UsageError(f"'{name}' cannot name a dataset", hint=hint)


def is_ours(entry: object) -> bool:
    """Return whether datagen wrote an entry."""
    return isinstance(entry, dict) and isinstance(cast("JsonObject", entry).get("datagen"), dict)


class _Unusable(Exception):
    pass


def _unique(pairs: Sequence[tuple[str, Any]]) -> JsonObject:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Unusable(f"the key '{next(n for n in names if names.count(n) > 1)}' occurs twice in one object")
    return value


def _refuse(constant: str) -> None:
    raise _Unusable(f"{constant} is not JSON")
