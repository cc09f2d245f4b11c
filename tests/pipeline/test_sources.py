"""What a run reads: the key of a folder of documents, and questions written by people."""

from pathlib import Path

from datagen.jsonl import write_jsonl
from datagen.pipeline.lessons import read_gold
from datagen.pipeline.sources import ingest_key


def test_hidden_files_do_not_begin_a_new_iteration(tmp_path: Path) -> None:
    (tmp_path / "退房.md").write_text("退房时间是中午 12 点。\n", encoding="utf-8")
    before = ingest_key(tmp_path, 512)
    (tmp_path / ".DS_Store").write_bytes(b"written by a file manager")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_bytes(b"ref")
    assert ingest_key(tmp_path, 512) == before
    (tmp_path / "早餐.md").write_text("早餐 7 点开始。\n", encoding="utf-8")
    assert ingest_key(tmp_path, 512) != before


def test_a_gold_question_without_a_document_has_none(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "gold.jsonl", [{"question": "几点退房？", "answer": "12 点。", "document": None, "language": None}])
    (sample,) = read_gold(tmp_path / "gold.jsonl", 9)
    assert (sample.provenance.document, sample.tags["language"]) == ("", "zh")
