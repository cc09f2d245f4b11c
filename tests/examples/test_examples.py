"""Each script in examples/ run for real, as a reader would: offline, on a few of the example's documents, with the tiny model."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from datagen.jsonl import read_json, read_rows, write_jsonl


@pytest.fixture
def docs(tmp_path: Path, repo: Path) -> Path:
    source = repo / "examples" / "hotel_ota" / "docs"
    for name in ("zh/会员", "en/policies", "en/travel", "en/stays"):
        shutil.copytree(source / name, tmp_path / "docs" / name)
    return tmp_path / "docs"


def _run(repo: Path, script: str, *arguments: str | Path) -> str:
    command = [sys.executable, str(repo / "examples" / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_script_is_run_here(repo: Path) -> None:
    scripts = {path.name for path in (repo / "examples").glob("*.py")}
    assert scripts == {"seed_dataset.py", "audit_dataset.py", "export_registered.py", "iterate_small_to_large.py"}


def test_seed_a_dataset_from_documents(tmp_path: Path, repo: Path, docs: Path) -> None:
    said = _run(repo, "seed_dataset.py", "--docs", docs, "--workspace", tmp_path / "ws", "--rows", "20")
    rows = [r.value for r in read_rows(tmp_path / "ws" / ".datagen" / "iterations" / "0001" / "train.jsonl")]
    assert len(rows) == 20
    assert all(r["provenance"]["evidence"] for r in rows)
    assert "hotel_v1_train" in read_json(tmp_path / "ws" / "data" / "dataset_info.json")
    assert "llamafactory-cli train" in said


def test_audit_duplicates_and_coverage(tmp_path: Path, repo: Path, docs: Path) -> None:
    gold = [r.value for r in read_rows(repo / "examples" / "hotel_ota" / "gold.jsonl")][:30]
    rows = [{"instruction": str(g["question"]), "input": "", "output": str(g["answer"])} for g in gold]
    planted = tmp_path / "rows.json"
    planted.write_text(json.dumps([*rows, rows[3], {**rows[4], "output": rows[4]["output"] + " "}], ensure_ascii=False), encoding="utf-8")
    said = _run(repo, "audit_dataset.py", planted, "--docs", docs, "--out", tmp_path / "clean.jsonl")
    assert "32 rows, 30 distinct" in said
    assert "exact_duplicate of row 3" in said
    assert "coverage: " in said
    assert len(list(read_rows(tmp_path / "clean.jsonl"))) == 30


def test_export_registered_datasets(tmp_path: Path, repo: Path) -> None:
    source = tmp_path / "rows.jsonl"
    gold = [r.value for r in read_rows(repo / "examples" / "hotel_ota" / "gold.jsonl")]
    write_jsonl(source, ({"instruction": str(g["question"]), "input": "", "output": str(g["answer"])} for g in gold))
    out = tmp_path / "out"
    said = _run(repo, "export_registered.py", source, "--name", "hotel", "--out", out)
    assert "would stop the run: 0" in said
    assert set(read_json(out / "llamafactory" / "dataset_info.json")) == {"hotel_train", "hotel_eval"}
    assert (out / "openai" / "hotel_train.jsonl").is_file()
    assert (out / "trl" / "hotel_eval.jsonl").is_file()
    assert (out / "huggingface" / "README.md").is_file()


def test_iterate_from_small_to_large(tmp_path: Path, repo: Path, docs: Path) -> None:
    options = ["--sizes", "8,16", "--exam", "12", "--model", "tiny"]
    said = _run(repo, "iterate_small_to_large.py", "--docs", docs, "--workspace", tmp_path / "ws", *options)
    assert "step 1: 8 rows against the untrained model" in said
    assert "v1: " in said
    assert "next hundred rows: {" in said
    assert (tmp_path / "ws" / ".datagen" / "iterations" / "0001" / "report.html").is_file()
