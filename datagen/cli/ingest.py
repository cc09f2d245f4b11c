"""``datagen ingest PATH... -o chunks.jsonl``."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from datagen.cli.console import JsonOption, emit


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of documents.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the chunks go, one a line.")],
    documents: Annotated[Path | None, typer.Option("--documents", help="Also write the documents, one a line.")] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=32, max=8192, help="Token budget of a chunk.")] = 512,
    as_json: JsonOption = False,
) -> None:
    from datagen.ingest import ingest_paths
    from datagen.ingest.chunk import chunk_document
    from datagen.jsonl import write_jsonl

    result = ingest_paths(paths)
    chunks = [chunk for document in result.documents for chunk in chunk_document(document, max_tokens=max_tokens)]
    write_jsonl(out, (chunk.model_dump(mode="json") for chunk in chunks))
    if documents:
        write_jsonl(documents, (document.model_dump(mode="json") for document in result.documents))
    kinds = Counter(d.media_type for d in result.documents)
    tokens = sum(chunk.n_tokens for chunk in chunks)
    by_kind = ", ".join(f"{kind} {n}" for kind, n in kinds.items())
    lines = [f"{len(result.documents)} documents ({by_kind}), {len(chunks)} chunks, about {tokens} tokens -> {out}"]
    lines += [f"skipped {s.path}: {s.reason}{f' ({s.detail})' if s.detail else ''}" for s in result.skipped]
    value = {
        "documents": len(result.documents),
        "chunks": len(chunks),
        "tokens": tokens,
        "skipped": [s.model_dump(mode="json") for s in result.skipped],
        "out": str(out),
    }
    emit(value, as_json=as_json, human="\n".join(lines))
