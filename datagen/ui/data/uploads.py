"""Uploaded documents: only known types, only small enough, only into the workspace's ``docs/``."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from datagen.errors import UsageError
from datagen.ingest.reading import READERS
from datagen.jsonl import write_bytes

LARGEST_MB = 32
LONGEST_NAME_BYTES = 200


def safe_name(name: str) -> str:
    """Return the file name alone, without any folder, control character or leading dot.

    Raises:
        UsageError: nothing is left, or the type is not one that is read.
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    clean = "".join(c for c in unicodedata.normalize("NFC", last) if unicodedata.category(c)[0] != "C").strip().lstrip(".")
    stem, dot, suffix = clean.rpartition(".")
    if not stem or not dot or f".{suffix.lower()}" not in READERS:
        raise UsageError(f"{name[:80]!r} is not a document", hint=f"known types: {', '.join(sorted(READERS))}")
    while len(f"{stem}.{suffix}".encode()) > LONGEST_NAME_BYTES:
        stem = stem[:-1]
    return f"{stem}.{suffix}"


def store_upload(docs: Path, name: str, data: bytes) -> Path:
    """Write an uploaded document into ``docs``; one with the same name and other content gets a number, never replaces.

    Raises:
        UsageError: not a document, or too large.
    """
    chosen = safe_name(name)
    if len(data) > LARGEST_MB << 20:
        raise UsageError(f"{chosen} is larger than {LARGEST_MB} MB")
    target = docs / chosen
    number = 2
    while target.exists() or target.is_symlink():
        if target.is_file() and not target.is_symlink() and target.read_bytes() == data:
            return target
        target = docs / f"{Path(chosen).stem}-{number}{Path(chosen).suffix}"
        number += 1
    write_bytes(target, data)
    return target


def documents_in(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that are of a known type of document."""
    return (path for path in folder.rglob("*") if path.suffix.lower() in READERS and path.is_file())


def document_folders(root: Path, extra: Path | None = None) -> list[Path]:
    """Return folders of the workspace that hold documents, ``docs`` first, and the one given on the command line."""
    folders = sorted(p for p in root.iterdir() if p.is_dir() and not p.is_symlink() and not p.name.startswith("."))
    own = ("docs", "data", "prompts", "pipelines", "saves")
    found = [p for p in folders if p.name not in own and any(documents_in(p))]
    return [*([extra] if extra else []), root / "docs", *found]
