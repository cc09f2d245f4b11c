"""The PDF and Word files of the example were made from Markdown; reading them back gives that Markdown."""

from pathlib import Path

import pytest

from datagen.ingest import ingest_paths

SOURCES = Path(__file__).resolve().parents[2] / "examples" / "hotel_ota" / "sources"
NAMES = sorted(path.relative_to(SOURCES).as_posix().removesuffix(".md") for path in SOURCES.rglob("*.*.md"))


def lines_of(markdown: str) -> list[str]:
    return [line for line in markdown.replace("**", "").split("\n") if line.strip()]


def test_there_are_sources_of_both_kinds() -> None:
    assert {Path(name).suffix for name in NAMES} == {".pdf", ".docx"}


@pytest.mark.parametrize("name", NAMES)
def test_headings_tables_lists_and_sentences_survive(repo: Path, name: str) -> None:
    [document] = ingest_paths([repo / "examples" / "hotel_ota" / "docs" / name]).documents
    assert lines_of(document.text) == lines_of((SOURCES / f"{name}.md").read_text(encoding="utf-8"))
