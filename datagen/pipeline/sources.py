"""The first stage: documents and chunks, kept with the iteration so that every offset can be looked up again."""

from dataclasses import dataclass
from pathlib import Path

from datagen.errors import UsageError
from datagen.hashing import fingerprint
from datagen.ingest import ingest_paths
from datagen.ingest.chunk import chunk_document
from datagen.jsonl import JsonObject, read_rows, write_jsonl
from datagen.pipeline.stage_store import StageStore, code_fingerprint
from datagen.schemas.document import Chunk, Document, Skipped


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything later stages read about the documents. ``key`` changes when a document, setting or the code does."""

    documents: list[Document]
    chunks: list[Chunk]
    skipped: list[Skipped]
    key: str
    stats: JsonObject


def ingest_key(docs: Path, max_tokens: int) -> str:
    """Fingerprint a docs folder by names and contents of its files, but for hidden ones, which are not read and which systems change.

    Raises:
        UsageError: the folder does not exist.
    """
    import hashlib

    if not docs.exists():
        raise UsageError(f"{docs}: no such folder of documents", hint="give one with --docs DIR, or put documents into docs/")
    seen = (p for p in docs.rglob("*") if p.is_file() and not any(part.startswith(".") for part in p.relative_to(docs).parts))
    files = sorted(seen) if docs.is_dir() else [docs]
    content: list[tuple[str, str]] = []
    for file in files:
        try:
            with file.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
        except OSError as error:
            digest = f"unreadable:{error.errno}"
        content.append((str(file.relative_to(docs)), digest))
    return fingerprint([content, max_tokens, code_fingerprint("ingest", "text.py", "schemas/document.py")])


def run_ingest(store: StageStore, docs: Path, *, max_tokens: int, key: str) -> Sources:
    """Ingest and chunk, or load what an earlier run of the same inputs stored."""
    folder = store.path(1, "ingest")
    stats = store.stats(1, "ingest", key)
    if stats is not None:
        return Sources(
            [Document.model_validate(r.value) for r in read_rows(folder / "kept.jsonl")],
            [Chunk.model_validate(r.value) for r in read_rows(folder / "chunks.jsonl")],
            [Skipped.model_validate(r.value) for r in read_rows(folder / "dropped.jsonl")],
            key,
            stats,
        )
    result = ingest_paths([docs])
    chunks = [chunk for document in result.documents for chunk in chunk_document(document, max_tokens=max_tokens)]
    write_jsonl(folder / "chunks.jsonl", (c.model_dump(mode="json") for c in chunks))
    reasons: dict[str, int] = {}
    for skipped in result.skipped:
        reasons[skipped.reason] = reasons.get(skipped.reason, 0) + 1
    stats = store.finish(
        1,
        "ingest",
        key,
        kept=[d.model_dump(mode="json") for d in result.documents],
        dropped=[s.model_dump(mode="json") for s in result.skipped],
        stats={
            "entered": len(result.documents) + len(result.skipped),
            "chunks": len(chunks),
            "tokens": sum(c.n_tokens for c in chunks),
            "reasons": reasons,
        },
    )
    return Sources(result.documents, chunks, result.skipped, key, stats)
