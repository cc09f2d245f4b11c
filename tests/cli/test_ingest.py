import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import read_rows


def test_chunks_documents_and_what_was_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "退房.md").write_text("# 退房\n\n退房时间是中午 12 点。\n", encoding="utf-8")
    (docs / "fees.txt").write_text("The cleaning fee is USD 12.50 per stay.\n", encoding="utf-8")
    (docs / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    out, documents = tmp_path / "chunks.jsonl", tmp_path / "documents.jsonl"
    assert main(["ingest", str(docs), "-o", str(out), "--documents", str(documents), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["documents"], value["chunks"]) == (2, 2)
    assert [(s["path"], s["reason"]) for s in value["skipped"]] == [("photo.jpg", "unsupported_type")]
    chunks = [row.value for row in read_rows(out)]
    assert [(c["document"], c["text"]) for c in chunks] == [
        ("fees.txt", "The cleaning fee is USD 12.50 per stay."),
        ("退房.md", "# 退房\n\n退房时间是中午 12 点。"),
    ]
    assert value["tokens"] == sum(c["n_tokens"] for c in chunks)
    assert [row.value["path"] for row in read_rows(documents)] == ["fees.txt", "退房.md"]


def test_a_line_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "退房.md").write_text("退房时间是中午 12 点。\n", encoding="utf-8")
    (tmp_path / "空.md").write_text("", encoding="utf-8")
    assert main(["ingest", str(tmp_path), "-o", str(tmp_path / "out" / "chunks.jsonl")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 documents (md 1), 1 chunks, about ")
    assert lines[1] == "skipped 空.md: empty (0 bytes)"


def test_nothing_to_read_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "chunks.jsonl"
    (tmp_path / "docs").mkdir()
    assert main(["ingest", str(tmp_path / "docs"), "-o", str(out)]) == 2
    assert main(["ingest", str(tmp_path / "none"), "-o", str(out)]) == 2
    assert "no such file or folder" in capsys.readouterr().err
    assert not out.exists()
