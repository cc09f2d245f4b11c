"""What a LLaMA-Factory data directory holds, and taking a dataset out of it again.

A file is only deleted where datagen wrote it, it lies in the directory itself, and its bytes are still those that were registered.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

from datagen.errors import UsageError, suggest
from datagen.export.llamafactory.registry.dataset_info import FILE_NAME, is_ours, locked, read_info, write_info
from datagen.export.llamafactory.registry.entry import Entry, read_entry
from datagen.hashing import sha256_hex
from datagen.jsonl import JsonObject, guard_disk

State = Literal["ok", "changed", "missing", "foreign", "remote"]


@dataclass(frozen=True, slots=True)
class Registered:
    """One entry. ``state``: ``ok`` datagen's file is as registered, ``changed`` its bytes are not, ``missing`` there is no such file,
    ``foreign`` written by others and present, ``remote`` not a local file. ``rows`` and ``sha256`` are known for datagen's entries only."""

    name: str
    file_name: str
    formatting: str
    ranking: bool
    rows: int | None
    sha256: str | None
    state: State

    def to_json(self) -> JsonObject:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Unregistered:
    """Entries removed, files deleted, and files left in place with the reason."""

    entries: tuple[str, ...]
    deleted: tuple[Path, ...]
    left: tuple[tuple[Path, str], ...]

    def to_json(self) -> JsonObject:
        left = [{"file": str(path), "why": why} for path, why in self.left]
        return {"entries": list(self.entries), "deleted": [str(path) for path in self.deleted], "left": left}


def list_registered(data_dir: Path) -> list[Registered]:
    """Return the entries of a data directory in file order.

    Raises:
        UsageError: no ``dataset_info.json`` there.
        DataError: it cannot be read, or an entry is not an object.
    """
    if not (data_dir / FILE_NAME).is_file():
        raise UsageError(
            f"{data_dir / FILE_NAME}: no such file", hint="give the data directory with --data-dir, or register a dataset first"
        )
    return [registered(data_dir, name, raw) for name, raw in read_info(data_dir).items()]


def unregister(data_dir: Path, name: str, *, delete_files: bool = False, force: bool = False) -> Unregistered:
    """Remove ``<name>_train`` and ``<name>_eval``, or the one entry ``name``.

    Args:
        data_dir: LLaMA-Factory data directory.
        name: the name given to ``register``, or an entry's own name.
        delete_files: delete the data files too, where that is safe (see the module).
        force: also remove entries that datagen did not write; their files always stay.

    Raises:
        UsageError: no such entry, or one that datagen did not write and ``force`` is off; nothing is changed then.
        WorkspaceBusy: another process holds the directory.
    """
    if not (data_dir / FILE_NAME).is_file():
        raise UsageError(f"{data_dir / FILE_NAME}: no such file")
    with locked(data_dir):
        entries = read_info(data_dir)
        names = [n for n in (f"{name}_train", f"{name}_eval") if n in entries] or [n for n in (name,) if n in entries]
        if not names:
            raise UsageError(f"no entry '{name}' in {data_dir / FILE_NAME}", hint=suggest(name, entries))
        foreign = [n for n in names if not is_ours(entries[n])]
        if foreign and not force:
            raise UsageError(f"entry '{foreign[0]}' was not written by datagen", hint="remove it with --force; its file stays")
        removed = [registered(data_dir, n, entries.pop(n)) for n in names]
        still_used = {read_entry(n, raw).file_name for n, raw in entries.items()}
        # The index first: a kill in between leaves a file nobody names, never a name without a file.
        write_info(data_dir, entries)
        deleted: list[Path] = []
        left: list[tuple[Path, str]] = []
        for each in removed:
            path = data_dir / each.file_name
            why = _why_left(each, delete_files, still_used)
            if why:
                left.append((path, why))
            else:
                with guard_disk(path):
                    path.unlink()
                deleted.append(path)
    return Unregistered(tuple(names), tuple(deleted), tuple(left))


def _why_left(entry: Registered, delete_files: bool, still_used: set[str]) -> str:
    if not delete_files:
        return "kept; --delete-files removes it"
    if entry.file_name in still_used:
        return "another entry uses it"
    if Path(entry.file_name).name != entry.file_name:
        return "it lies outside the directory"
    known = {"ok": "", "changed": "its bytes changed since it was registered", "missing": "it is not there"}
    return known.get(entry.state, "not written by datagen")


def registered(data_dir: Path, name: str, raw: object) -> Registered:
    """Return what one entry of ``dataset_info.json`` says, and how its file stands.

    Raises:
        DataError: it is not an object.
    """
    entry = read_entry(name, raw)
    metadata: JsonObject = cast("JsonObject", raw)["datagen"] if is_ours(raw) else {}
    rows, sha256 = metadata.get("rows"), metadata.get("sha256")
    return Registered(
        name=entry.name,
        file_name=entry.file_name,
        formatting=str(entry.formatting),
        ranking=entry.ranked,
        rows=rows if isinstance(rows, int) else None,
        sha256=sha256 if isinstance(sha256, str) else None,
        state=_state(data_dir, entry, sha256),
    )


def _state(data_dir: Path, entry: Entry, sha256: object) -> State:
    if entry.remote:
        return "remote"
    path = data_dir / entry.file_name
    if not entry.file_name or not path.exists():
        return "missing"
    if sha256 is None:
        return "foreign"
    return "ok" if path.is_file() and sha256_hex(path.read_bytes()) == sha256 else "changed"
