"""``datagen register``."""

import json
from pathlib import Path

import pytest

from datagen.cli import main
from datagen.jsonl import read_rows, write_jsonl

ROWS = [{"instruction": f"{i}号房几点退房？", "input": "", "output": "中午12点。"} for i in range(3)]
EVAL = {"instruction": "早餐在哪里吃？", "input": "", "output": "二层。"}


def test_registers_into_the_workspace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train.json").write_text(json.dumps(ROWS), encoding="utf-8")
    (tmp_path / "eval.json").write_text(json.dumps([EVAL]), encoding="utf-8")
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


def test_a_leaking_pair_is_refused_with_lines_until_the_rows_are_dropped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, held, clean = (str(tmp_path / name) for name in ("train.jsonl", "eval.jsonl", "clean.jsonl"))
    leaking = {"instruction": "请问早餐在哪里吃", "input": "", "output": "在二层。"}
    write_jsonl(Path(train), [ROWS[0], leaking, ROWS[1]])
    write_jsonl(Path(held), [EVAL])
    register = ["-w", str(tmp_path), "register", "--name", "hotel", "--eval", held]
    assert main([*register, train]) == 1
    said = capsys.readouterr().err
    assert f"{train}:2 ~ {held}:1: near_duplicate, " in said
    assert f"datagen leak {train} {held} --shared-evidence -o CLEAN" in said
    assert not (tmp_path / "data").exists()
    assert main(["leak", train, held, "--shared-evidence", "-o", clean]) == 1
    assert [row.value for row in read_rows(Path(clean))] == [ROWS[0], ROWS[1]]
    assert [row.value for row in read_rows(tmp_path / "clean.dropped.jsonl")] == [{"row": 1, "reason": "leaks_into_eval", "value": leaking}]
    assert main([*register, clean]) == 0
    assert main([*register, train, "--replace", "--allow-leaks"]) == 0


def test_export_for_llamafactory_refuses_leaks_until_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, held = str(tmp_path / "train.jsonl"), str(tmp_path / "eval.jsonl")
    write_jsonl(Path(train), [*ROWS, EVAL])
    write_jsonl(Path(held), [EVAL])
    export = ["export", train, "--eval", held, "--to", "llamafactory", "-o", str(tmp_path / "data")]
    assert main(export) == 1
    assert f"{train}:{len(ROWS) + 1} ~ {held}:1: exact, 1.00" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
    assert main([*export, "--allow-leaks"]) == 0
