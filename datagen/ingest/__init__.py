"""Files to documents: every file becomes a :class:`Document` or a :class:`Skipped` with a reason; none is lost silently."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datagen.errors import UsageError
from datagen.hashing import sha256_hex
from datagen.ingest.reading import READERS, Unreadable
from datagen.ingest.sections import find_sections
from datagen.schemas.document import Document, Skipped
from datagen.text import detect_language

MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class IngestResult:
    """Documents and skipped files, each in path order."""

    documents: list[Document]
    skipped: list[Skipped]


def ingest_paths(paths: Sequence[Path], *, max_bytes: int = MAX_BYTES) -> IngestResult:
    """Read files and folders to documents. Folders are walked in sorted order; links that leave the folder are not followed.

    Raises:
        UsageError: a path does not exist, or nothing at all could be read; the message counts the reasons.
    """
    documents: list[Document] = []
    skipped: list[Skipped] = []
    first_with: dict[str, str] = {}
    for root in paths:
        if not root.exists():
            raise UsageError(f"{root}: no such file or folder", hint="give a folder of documents")
        for file, name in _walk(root):
            try:
                document = _read(file, name, root, max_bytes)
            except Unreadable as reason:
                skipped.append(Skipped(path=name, reason=reason.reason, detail=reason.detail))
                continue
            if document.sha256 in first_with:
                skipped.append(Skipped(path=name, reason="duplicate_document", detail=f"same bytes as {first_with[document.sha256]}"))
                continue
            first_with[document.sha256] = name
            documents.append(document)
    if not documents:
        counts = ", ".join(f"{s.path}: {s.reason}" for s in skipped[:5]) or "no files there"
        raise UsageError(f"no documents in {', '.join(map(str, paths))} ({counts})", hint="readable are: md, txt, html, pdf, docx")
    return IngestResult(documents, skipped)


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    if root.is_file():
        yield root, root.name
        return
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        found.extend(Path(folder) / name for name in files)
    for file in sorted(found):
        yield file, file.relative_to(root).as_posix()


def _read(file: Path, name: str, root: Path, max_bytes: int) -> Document:
    if any(part.startswith(".") for part in Path(name).parts):
        raise Unreadable("hidden")
    if file.is_symlink() and not file.resolve().is_relative_to(root.resolve()):
        raise Unreadable("outside_folder", "a link that leaves the documents folder")
    if not file.is_file():
        raise Unreadable("not_a_file")
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise Unreadable("unsupported_type", f"'{file.suffix or file.name}'; readable are md, txt, html, pdf, docx")
    try:
        size = file.stat().st_size
        if size > max_bytes:
            raise Unreadable("too_large", f"{size} bytes, limit {max_bytes}")
        data = file.read_bytes()
    except OSError as error:
        raise Unreadable("unreadable", error.strerror or str(error)) from error
    if not data.strip():
        raise Unreadable("empty")
    media_type, read = reader
    # Lone surrogates cannot be written as UTF-8; nothing an LLM or a tokenizer takes holds them.
    text = read(data).encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
    if not text.strip():
        raise Unreadable("empty", "no text in it")
    sections = find_sections(text)
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
