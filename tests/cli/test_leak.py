"""``datagen leak``."""

import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import write_jsonl


def write(path: Path, *rows: tuple[str, str]) -> str:
    write_jsonl(path, ({"question": q, "answer": a} for q, a in rows))
    return str(path)


def test_leaks_are_listed_and_the_exit_code_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = write(tmp_path / "train.jsonl", ("健身房在几楼？", "三楼。"), ("Is breakfast included in the room rate?", "Yes."))
    evaluation = write(tmp_path / "eval.jsonl", ("Is breakfast included in the room rate", "Yes, always."), ("泳池几点开？", "三楼。"))
    assert main(["leak", train, evaluation, "--json"]) == 1
    leaks = [{"train_row": 1, "eval_row": 0, "rule": "exact", "score": 1.0}]
    assert json.loads(capsys.readouterr().out) == {"train_rows": 2, "eval_rows": 2, "leaks": leaks}


def test_nothing_leaks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, evaluation = write(tmp_path / "a.jsonl", ("健身房在几楼？", "三楼。")), write(tmp_path / "b.jsonl", ("泳池几点开？", "九点。"))
    assert main(["leak", train, evaluation]) == 0
    assert capsys.readouterr().out.startswith("0 of 1 training rows leak into 1 evaluation rows")
