"""Files to documents: every file becomes a :class:`Document` or a :class:`Skipped` with a reason; none is lost silently.

Reasons: ``empty``, ``binary``, ``encrypted``, ``no_text_layer``, ``wrong_encoding``, ``unsupported_type``, ``too_large``, ``broken``,
``hidden``, ``outside_folder``, ``duplicate_document``, ``unreadable`` (no permission), ``not_a_file`` (a pipe, a dead link). A hidden
folder and a link to a folder are one entry each; what is inside is not looked at.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.errors import UsageError
from datagen.hashing import sha256_hex
from datagen.ingest.decoding import Unreadable
from datagen.ingest.reading import READERS
from datagen.ingest.sections import find_sections
from datagen.schemas.document import Document, Skipped
from datagen.text import detect_language

MAX_BYTES = 64 * 1024 * 1024
READABLE = "readable are md, txt, html, pdf, docx"


@dataclass(frozen=True, slots=True)
class IngestResult:
    """Documents and skipped files, each in path order (and in the order of the given paths)."""

    documents: list[Document]
    skipped: list[Skipped]


def ingest_paths(paths: Sequence[Path], *, max_bytes: int = MAX_BYTES) -> IngestResult:
    """Read files and folders to documents. Folders are walked in sorted order; links that leave the folder are not followed.

    ``Document.path`` is relative to the folder it was found in; where an earlier folder holds the same relative path, the later one gets
    its folder's name in front, and names of folders above that until no other document has it. Deterministic for the same bytes on disk.
    Holds all texts in memory.

    Raises:
        UsageError: a path does not exist, or nothing at all could be read; the message counts the reasons.
    """
    documents: list[Document] = []
    skipped: list[Skipped] = []
    first_with: dict[str, str] = {}
    taken: set[str] = set()
    for root in paths:
        if not root.exists():
            raise UsageError(f"{root}: no such file or folder", hint=f"give a folder of documents, or files; {READABLE}")
        for file, relative, refused in _walk(root):
            name = _unlike(taken, relative, root.resolve() if root.is_dir() else root.resolve().parent)
            taken.add(name)
            try:
                if refused:
                    raise refused
                document = _read(file, name, root, max_bytes)
                if document.sha256 in first_with:
                    raise Unreadable("duplicate_document", f"same bytes as {first_with[document.sha256]}")
            except Unreadable as reason:
                skipped.append(Skipped(path=name, reason=reason.reason, detail=reason.detail))
                continue
            first_with[document.sha256] = name
            documents.append(document)
    if not documents:
        raise _nothing(paths, skipped)
    return IngestResult(documents, skipped)


def _nothing(paths: Sequence[Path], skipped: Sequence[Skipped]) -> UsageError:
    counts = ", ".join(f"{reason} {n}" for reason, n in Counter(s.reason for s in skipped).most_common())
    examples = "; ".join(f"{s.path}: {s.reason}{f' ({s.detail})' if s.detail else ''}" for s in skipped[:3])
    found = f"skipped: {counts}; {examples}" if skipped else "there are no files"
    return UsageError(f"no documents in {', '.join(map(str, paths))} ({found})", hint=READABLE)


def _walk(root: Path) -> Iterator[tuple[Path, str, Unreadable | None]]:
    """Yield (file, relative name, reason to refuse it unread), sorted by name."""
    if not root.is_dir():
        yield root, _name(root.name), None
        return
    found: dict[Path, Unreadable | None] = {}

    def unreadable_folder(error: OSError) -> None:
        found[Path(error.filename)] = Unreadable("unreadable", error.strerror or str(error))

    for folder, folders, files in os.walk(root, onerror=unreadable_folder):
        for name in [*folders, *files]:
            path = Path(folder) / name
            if name.startswith("."):
                found[path] = Unreadable("hidden")
            elif name in files:
                found[path] = None
            elif path.is_symlink():
                found[path] = Unreadable("outside_folder", "a link to a folder; give that folder as a path of its own")
        folders[:] = [name for name in folders if not name.startswith(".")]
    for path in sorted(found):
        yield path, _name(path.relative_to(root).as_posix()), found[path]


def _unlike(taken: set[str], relative: str, folder: Path) -> str:
    """Return a file's name with as many names of folders in front as tell it from those taken; one given twice may have them all."""
    name = relative
    for above in reversed(folder.parts[1:]):
        if name not in taken:
            break
        name = f"{_name(above)}/{name}"
    return name


def _name(path: str) -> str:
    """File names need not be UTF-8 on Linux; what is stored must be."""
    return os.fsencode(path).decode("utf-8", "replace")


def _read(file: Path, name: str, root: Path, max_bytes: int) -> Document:
    if root.is_dir() and file.is_symlink() and not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(root)):
        raise Unreadable("outside_folder", "a link that leaves the documents folder")
    if not file.is_file():
        raise Unreadable("not_a_file", "a dead link, a pipe or a device")
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise Unreadable("unsupported_type", f"'{_name(file.suffix or file.name)}'; {READABLE}")
    try:
        size = file.stat().st_size
        if size > max_bytes:
            raise Unreadable("too_large", f"{size} bytes, limit {max_bytes}")
        data = file.read_bytes()
    except OSError as error:
        raise Unreadable("unreadable", error.strerror or str(error)) from error
    if not data.strip():
        raise Unreadable("empty", "no bytes but white space" if data else "0 bytes")
    media_type, read = reader
    # Lone surrogates cannot be written as UTF-8; nothing an LLM or a tokenizer takes holds them.
    text = read(data).encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
    if not text.strip():
        raise Unreadable("empty", "no text in it")
    sections = find_sections(text, plain=media_type == "txt")
    title = next((s.heading_path[0] for s in sections if s.heading_path), Path(name).stem)
    return Document(
        path=name,
        sha256=sha256_hex(data),
        media_type=media_type,
        language=detect_language(text),
        title=title,
        text=text,
        sections=tuple(sections),
    )
