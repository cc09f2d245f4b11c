"""The example's documents and rows written from them by rules, once for the folder."""

import asyncio
from pathlib import Path

import pytest

from datagen.generate.extractive import Extractive
from datagen.generate.runner import generate
from datagen.ingest import ingest_paths
from datagen.ingest.chunk import chunk_document
from datagen.schemas.document import Document
from datagen.schemas.sample import Sample


@pytest.fixture(scope="session")
def hotel_documents() -> list[Document]:
    return ingest_paths([Path(__file__).resolve().parents[2] / "examples" / "hotel_ota" / "docs"]).documents


@pytest.fixture(scope="session")
def hotel_rows(hotel_documents: list[Document]) -> list[Sample]:
    """Four hundred clean rows, zh and en, with evidence."""
    chunks = [chunk for document in hotel_documents for chunk in chunk_document(document)]
    result = asyncio.run(generate(hotel_documents, chunks, [(Extractive(), 1.0)], target=400, purpose="train"))
    return list(result.kept)
