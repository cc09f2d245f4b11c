"""``datagen register``."""

import json
from pathlib import Path

import pytest

from datagen.cli import main

ROWS = [{"instruction": f"{i}号房几点退房？", "input": "", "output": "中午12点。"} for i in range(3)]


def test_registers_into_the_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.json").write_text(json.dumps(ROWS), encoding="utf-8")
    (tmp_path / "eval.json").write_text(json.dumps(ROWS[:1]), encoding="utf-8")
    arguments = ["-w", str(tmp_path), "register", str(tmp_path / "train.json"), "--name", "hotel", "--eval", str(tmp_path / "eval.json")]
    assert main([*arguments, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["train_entry"], value["train_rows"], value["eval_entry"], value["eval_rows"]) == ("hotel_train", 3, "hotel_eval", 1)
    assert list(json.loads((tmp_path / "data/dataset_info.json").read_text())) == ["hotel_train", "hotel_eval"]
    assert main(arguments) == 0
    assert "already registered" in capsys.readouterr().out


def test_refuses_then_replaces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "lf"
    folder.mkdir()
    (folder / "dataset_info.json").write_text('{"hotel_train": {"file_name": "other.json"}}')
    (tmp_path / "train.json").write_text(json.dumps(ROWS), encoding="utf-8")
    arguments = ["register", str(tmp_path / "train.json"), "--name", "hotel", "--data-dir", str(folder)]
    assert main(arguments) == 2
    assert "was not written by datagen" in capsys.readouterr().err
    assert main([*arguments, "--replace"]) == 0
