"""JSON and JSONL files: reading with ``file:line`` errors, atomic writing, appending that survives a crash."""

import errno
import json
import os
import re
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from datagen.errors import DataError, DiskRefused, UsageError

JsonObject = dict[str, Any]
_LONG_NUMBER = re.compile(r"\d{1000}")
_SURROGATES = "backslashreplace"
"""A lone surrogate has no bytes in UTF-8; Python writes it as JSON does, ``\\ud800``, and it is read back."""


class Row(NamedTuple):
    """One object of a file and the 1-based line it starts on (for a JSON array: its 1-based position)."""

    line: int
    value: JsonObject


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the objects of a file: an array, one object a line, or, in a ``.json`` file, one object over all lines.

    The form is detected from the content: a first non-blank character ``[`` means an array; a ``.json`` file whose first line is a value
    of its own, with more after it, is read by lines. A UTF-8 byte order mark is accepted; blank lines are skipped.

    Raises:
        UsageError: the file does not exist or is a folder.
        DataError: not UTF-8, not JSON, or not an object, with ``path:line``.
    """
    text = read_text(path)
    if text.lstrip()[:1] == "[":
        values = cast("list[object]", _loads(path, 1, text))
        yield from (Row(position, _object(path, position, value)) for position, value in enumerate(values, start=1))
        return
    if path.suffix.lower() == ".json" and not _is_lines(text):
        yield Row(1, _object(path, 1, _loads(path, 1, text)))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield Row(number, _object(path, number, _loads(path, number, line)))


class Line(NamedTuple):
    """One non-blank line of a ``.jsonl`` file, without its end, and its 1-based number."""

    number: int
    raw: bytes

    def parse(self, path: Path) -> JsonObject:
        """Return the object on the line.

        Raises:
            DataError: not UTF-8, not JSON, or not an object, with ``path:line``.
        """
        return _object(path, self.number, _loads(path, self.number, _decode(path, self.raw, line=self.number)))


def stream_lines(path: Path) -> Iterator[Line]:
    """Yield the non-blank lines of a ``.jsonl`` file, unparsed: memory is that of the longest line. For files of any size.

    Raises:
        UsageError: the file does not exist, is a folder, or may not be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                raw = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if raw.strip():
                    yield Line(number, raw.rstrip(b"\r\n"))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read as a file ({error.strerror or error})") from error


def read_text(path: Path) -> str:
    """Read a UTF-8 text file, without its byte order mark if there is one.

    Raises:
        UsageError: the path does not exist, is a folder, a loop of links, or may not be read.
        DataError: the bytes are not UTF-8; the message gives the line.
    """
    return _decode(path, _read_bytes(path)).removeprefix("\ufeff")


def read_json(path: Path) -> Any:
    """Read one JSON value.

    Raises:
        UsageError, DataError: as in :func:`read_rows`.
    """
    return _loads(path, 1, read_text(path))


def read_appended(path: Path) -> list[JsonObject]:
    """Read a file written by :func:`append_row`, none if it is not there; a torn last line, left by a crash, is ignored.

    Raises:
        UsageError: the path is a folder or may not be read.
        DataError: a line other than the last is broken.
    """
    if not path.exists():
        return []
    complete, _, _ = _read_bytes(path).rpartition(b"\n")
    # Not splitlines: texts may hold U+2028 and other marks that end a line for Python alone.
    return [Line(n, raw).parse(path) for n, raw in enumerate(complete.split(b"\n"), 1) if raw.strip()]


def append_row(path: Path, value: JsonObject) -> None:
    """Append one object as a line and flush it to disk; a torn line left by an earlier crash is cut off first.

    Raises:
        DataError, DiskRefused: as in :func:`write_jsonl`.
    """
    line = encode_line(value)
    with guard_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with guard_disk(path), path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            if file.read(1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def write_jsonl(path: Path, rows: Iterable[object]) -> int:
    """Write objects one a line, atomically; returns how many.

    Raises:
        DataError: a value JSON has no form for, such as NaN or a date.
        DiskRefused: as in :func:`open_atomic`.
    """
    lines = [encode_line(row) for row in rows]
    write_bytes(path, b"".join(lines))
    return len(lines)


def encode_line(value: object) -> bytes:
    """Return one line of a ``.jsonl`` file, its end included.

    Raises:
        DataError: as in :func:`write_jsonl`.
    """
    return f"{_dumps(value)}\n".encode(errors=_SURROGATES)


def write_json(path: Path, value: object, *, ascii_only: bool = False) -> None:
    """Write one JSON value, indented, atomically. ``ascii_only`` escapes everything outside ASCII.

    Raises:
        DataError, DiskRefused: as in :func:`write_jsonl`.
    """
    text = _dumps(value, ascii_only=ascii_only, indent=2)
    write_bytes(path, f"{text}\n".encode(errors=_SURROGATES))


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file's content atomically; see :func:`open_atomic`."""
    with open_atomic(path) as file:
        file.write(data)


@contextmanager
def open_atomic(path: Path) -> Generator[BinaryIO]:
    """Open a file whose content replaces ``path`` atomically at the end: temporary file beside it, fsync, rename, fsync of the folder.

    Raises:
        DiskRefused: the disk is full or the folder may not be written; the old content is intact.
    """
    with guard_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def same_file(one: Path, other: Path) -> bool:
    """Tell whether two paths lead to one file, links followed; a loop of links leads nowhere and is no error."""
    try:
        return os.path.realpath(one) == os.path.realpath(other)
    except ValueError:  # a null byte, which no file's name has
        return False


def check_writable(folder: Path) -> None:
    """Raise before long work whose result could not be written into ``folder`` anyhow; a folder that is not there yet may be made.

    Raises:
        DiskRefused: the folder, or the nearest one above it that exists, is read-only or may not be written to.
    """
    place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not os.access(place, os.W_OK):
        read_only = bool(os.statvfs(place).f_flag & os.ST_RDONLY)
        with guard_disk(folder):
            raise OSError(errno.EROFS if read_only else errno.EACCES, os.strerror(errno.EROFS if read_only else errno.EACCES), str(place))


class guard_disk:
    """Context manager that turns an ``OSError`` while writing ``path`` into one clear :class:`DiskRefused`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise DiskRefused(
                f"cannot write {self._path}: {error.strerror or error}",
                hint="free disk space or choose another folder, then run the same command again; what was written before is kept",
                errno=error.errno,
                path=str(self._path),
            ) from error


def parse_json(text: str, *, nan: bool = True) -> Any:
    """Parse one JSON value; with ``nan`` also NaN and Infinity, which Python writes and JSON does not have.

    Raises:
        json.JSONDecodeError: not JSON, or nested too deeply, or a number of more digits than Python reads (where ``json.loads`` raises
            RecursionError and a bare ValueError).
    """

    def refuse(constant: str) -> None:
        raise json.JSONDecodeError(f"{constant} is not JSON", text, text.find(constant))

    try:
        return json.loads(text) if nan else json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise json.JSONDecodeError("nested too deeply", text, 0) from error
    except ValueError as error:
        found = _LONG_NUMBER.search(text)
        raise json.JSONDecodeError("a number of too many digits", text, found.start() if found else 0) from error


def _is_lines(text: str) -> bool:
    first, _, rest = text.lstrip().partition("\n")
    if not rest.strip():
        return False
    try:
        parse_json(first)
    except json.JSONDecodeError:
        return False
    return True


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read as a file ({error.strerror or error})") from error


def _decode(path: Path, raw: bytes, *, line: int = 1) -> str:
    """Decode UTF-8 that begins on line ``line`` of the file."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line += raw.count(b"\n", 0, error.start)
        raise DataError(f"{path}:{line}: not UTF-8 (byte 0x{raw[error.start]:02x})", hint="save the file as UTF-8 and try again") from error


def _loads(path: Path, line: int, text: str) -> Any:
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        where = line + error.lineno - 1
        raise DataError(f"{path}:{where}: not valid JSON: {error.msg} (column {error.colno})") from error


def _dumps(value: object, *, ascii_only: bool = False, indent: int | None = None) -> str:
    try:
        return json.dumps(value, ensure_ascii=ascii_only, indent=indent, allow_nan=False)
    except (ValueError, TypeError) as error:
        hint = "write null or text instead of NaN, infinity, dates and other objects"
        raise DataError(f"a value cannot be written as JSON: {error}", hint=hint) from error
    except RecursionError as error:
        raise DataError("a value cannot be written as JSON: nested too deeply", hint="flatten it, or write it as JSON text") from error


def _object(path: Path, line: int, value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise DataError(f"{path}:{line}: expected a JSON object, got {type(value).__name__}")
    return cast("JsonObject", value)
